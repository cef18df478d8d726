"""Everything that a client can put into a field, a parameter, an id: a problem, never a mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from contract import DOCUMENT, STREAMS
from remains import unharmed
from standing import Standing, standing
from values import texts

MANY = 1_000_000
#: Seconds within which the worst of it is answered, on a machine that is busy.
SOON = 5.0
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
BODIES = {
    f"{method} {path}": operation["requestBody"]["content"]["application/json"]["schema"]
    for method, path, operation in OPERATIONS
    if "application/json" in operation.get("requestBody", {}).get("content", {})
}
PARAMETERS = [
    (method, path, parameter["in"], parameter["name"])
    for method, path, operation in OPERATIONS
    for parameter in operation.get("parameters", ())
    if path not in STREAMS and parameter["in"] in ("path", "query", "header")
]
ID = "0" * 22
WORDS = [
    "",
    " ",
    "\0",
    "a\0b",
    "%",
    "*",
    "?[!a]",
    "' OR 1=1 --",
    'x"; DROP TABLE evaluations; --',
    "..",
    "../../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\secret.key",
    "%2e%2e%2fsecret.key",
    "\u202egnp.exe",
    "\x1b[31m",
    "-1",
    "1e999",
    "NaN",
    str(2**63),
    "9" * 5000,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59+00:01",
    "2024-02-30",
    "é" * 300,
    "x" * 5000,
]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    directory = tmp_path_factory.mktemp("hostile")
    with (
        standing(directory / "box", work=True, rate_limit=float(MANY), rate_burst=MANY) as made,
        unharmed(made, directory),
    ):
        yield made
        _clear(made)


def _clear(made: Standing) -> None:
    """Takes away what was rightly made."""
    with httpx.Client(base_url=made.url + "/api/v1", headers=made.headers, timeout=10) as client:
        for sandbox in client.get("/sandboxes").json()["items"]:
            client.delete(f"/sandboxes/{sandbox['id']}").raise_for_status()
        for state in ("queued", "starting", "running", "scoring"):
            query = {"state": state, "limit": 1000}
            if found := client.get("/evaluations", params=query).json()["items"]:
                client.post("/evaluations/cancel", json={"ids": [one["id"] for one in found]})
        for hook in client.get("/webhooks").json():
            client.delete(f"/webhooks/{hook['id']}").raise_for_status()


def filled(template: str, **values: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1]
        return values.get(name, "1" if name == "number" else ID)

    return re.sub(r"\{(\w+)\}", value, template)


def check(answer: httpx.Response, sent: object) -> None:
    text = answer.content
    if answer.status_code == 503 and answer.json()["code"] == "busy":
        # There is room for a few sandboxes, and no more.
        return
    assert answer.status_code < 500, f"{sent!r}: {text[:500]!r}"
    assert answer.elapsed.total_seconds() < SOON, sent
    assert b"Traceback" not in text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", sent
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["detail"]
        assert len(text) < 4000, f"{sent!r}: an answer of {len(text)} bytes"


@pytest.mark.parametrize("operation", BODIES)
def test_every_field_of_every_body(box: Standing, operation: str) -> None:
    method, path = operation.split()
    headers = box.headers | {"Content-Type": "application/json"}
    counts: dict[int, int] = {}
    with httpx.Client(base_url=box.url, headers=headers, timeout=10) as client:
        for name, text in texts(BODIES[operation]):
            answer = client.request(method, filled(path), content=text)
            check(answer, name[:300])
            counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
        listed = client.get("/api/v1/evaluations")
        assert listed.status_code == 200
        json.loads(listed.content)
    assert sum(count for status, count in counts.items() if status >= 400) > 10, counts


@pytest.mark.parametrize("parameter", PARAMETERS, ids="-".join)
def test_every_parameter(box: Standing, parameter: tuple[str, str, str, str]) -> None:
    method, path, place, name = parameter
    with httpx.Client(base_url=box.url, headers=box.headers, timeout=10) as client:
        for word in WORDS:
            options: dict[str, Any] = {}
            target = filled(path)
            if place == "path":
                target = filled(path, **{name: quote(word, safe="")})
            elif place == "query":
                options = {"params": {name: word}}
            else:
                if word != word.strip() or not word.isprintable():
                    # The client would not send it; test_hostile_connections does.
                    continue
                options = {"headers": {name: word.encode()}}
            check(client.request(method, target, **options), (parameter, word))


CONTENTS = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "UTF-8 with a mark": b'\xef\xbb\xbf{"command": ["true"]}',
    "twice the same": b'{"command": ["true"], "command": ["false"], "image": 1, "image": "x"}',
    "a hundred thousand deep": b"[" * 100_000,
    "objects a hundred thousand deep": b'{"a":' * 100_000,
    "a closed deep list": b"[" * 50_000 + b"]" * 50_000,
    "a number of a million digits": b'{"slots": ' + b"9" * 1_000_000 + b"}",
    "a million fields": b"{" + b",".join(b'"%d":1' % n for n in range(200_000)) + b"}",
    "a million mistakes": b'{"ids":[' + b",".join([b"1"] * 1_000_000) + b"]}",
    "two documents": b'{"command": ["true"]}{"command": ["true"]}',
    "no object": b'"text"',
    "null": b"null",
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("operation", BODIES)
def test_bodies_that_are_no_bodies(box: Standing, operation: str, content: str) -> None:
    method, path = operation.split()
    with httpx.Client(base_url=box.url, headers=box.headers, timeout=10) as client:
        for media in ("application/json", "text/plain", "multipart/form-data", "application/xml"):
            answer = client.request(
                method,
                filled(path),
                content=CONTENTS[content],
                headers={"Content-Type": media},
            )
            check(answer, (content, media))
            if content == "twice the same" and media == "application/json":
                assert answer.status_code in (400, 404, 422)
