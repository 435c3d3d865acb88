"""The app around the page: what the tests in a browser rely on."""

from __future__ import annotations

import httpx

from .page_site import Site


def test_it_answers_each_tenant_until_it_is_locked() -> None:
    """Then it refuses everybody."""
    site = Site("http://127.0.0.1:9/api/whatsapp")
    with site.running() as url:
        assert httpx.get(url).status_code == 200
        assert httpx.post(f"{url}/restart?tenant=tenant-b").status_code == 204
        site.is_locked = True
        assert httpx.get(url).status_code == 401
