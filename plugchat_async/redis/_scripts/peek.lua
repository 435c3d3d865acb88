-- Read.
if not record.session then
  return {'missing', now}
end
return {'ok', now, packed()}
