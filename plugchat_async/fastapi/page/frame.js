// The page that frames this one, and what it is told.

const settings = JSON.parse(document.getElementById("settings").textContent);
const isFramed = window.parent !== window;
document.documentElement.classList.toggle("framed", isFramed);

function tellParent(type, details = {}) {
  if (!isFramed) return;
  const parentOrigin = location.ancestorOrigins?.[0] ?? "null";
  // A browser that does not say who the parent is hands a message to its origin, and to no other.
  for (const origin of new Set([location.origin, ...settings.embed_in])) {
    if (["null", origin].includes(parentOrigin)) {
      parent.postMessage({ source: "plugchat-pairing", version: 1, type, ...details }, origin);
    }
  }
}

new ResizeObserver(() => {
  tellParent("resized", { height: Math.ceil(document.body.getBoundingClientRect().height) });
}).observe(document.body);
