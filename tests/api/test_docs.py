"""The documentation for people: it needs nothing from elsewhere, and lets nothing in."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from api_support import served


async def test_swagger_comes_from_the_box_alone(tmp_path: Path) -> None:
    async with served(tmp_path / "box") as box, httpx.AsyncClient(base_url=box.url) as client:
        page = await client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(named) == 4
        assert not [one for one in named if "//" in one]
        for name in named[1:]:
            for accepted in ("gzip", "identity"):
                answer = await client.get(f"/{name}", headers={"Accept-Encoding": accepted})
                assert answer.status_code == 200
                wanted = "text/css" if name.endswith(".css") else "text/javascript"
                assert answer.headers["content-type"].startswith(wanted)
                assert answer.headers.get("content-encoding", "identity") in (accepted, "identity")
                assert len(answer.content) > 100
        assert (await client.get("/openapi.json")).json()["openapi"].startswith("3.1")


async def test_the_page_gives_nothing_else_away(tmp_path: Path) -> None:
    async with served(tmp_path / "box") as box, httpx.AsyncClient(base_url=box.url) as client:
        for name in ("LICENSE", "..%2fapp.py", "%2e%2e/app.py", "swagger-ui.css.gz", ""):
            answer = await client.get(f"/docs/{name}")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
        assert "script-src" not in (await client.get("/healthz")).headers["content-security-policy"]
