"""The API keeps what it promised: docs/openapi.json is true, and the release before is served."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalbox.api.app import openapi

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "openapi"))

from compatibility import METHODS, breaks  # noqa: E402

CURRENT = openapi()
Schema = dict[str, Any]
#: A change of a document, and whether there was anything to change.
Site = tuple[str, Callable[[Schema], None]]


def test_the_committed_document_is_that_of_the_code() -> None:
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert committed == CURRENT, "run: python packaging/openapi/write.py"


def test_clients_of_the_last_release_are_served() -> None:
    released = json.loads((ROOT / "tests" / "api" / "released.json").read_text())
    assert not breaks(released, CURRENT)


# a checker that could not fail would be no test


def _operations() -> Iterator[tuple[str, str, Schema]]:
    for path, methods in CURRENT["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def _reached(document: Schema, node: Any, found: set[str]) -> set[str]:
    """The names of the schemas that ``node`` leads to."""
    if isinstance(node, dict):
        name = str(node.get("$ref", "")).removeprefix("#/components/schemas/")
        if name and "/" not in name and name not in found:
            found.add(name)
            _reached(document, document["components"]["schemas"][name], found)
        for value in node.values():
            _reached(document, value, found)
    elif isinstance(node, list):
        for value in node:
            _reached(document, value, found)
    return found


def _taken() -> set[str]:
    found: set[str] = set()
    for _, _, operation in _operations():
        _reached(CURRENT, operation.get("requestBody"), found)
    return found


def _given() -> set[str]:
    found: set[str] = set()
    for _, _, operation in _operations():
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                _reached(CURRENT, answer, found)
    return found


def _at(document: Schema, path: str, method: str) -> Schema:
    found: Schema = document["paths"][path][method]
    return found


def _schema(document: Schema, name: str) -> Schema:
    found: Schema = document["components"]["schemas"][name]
    return found


def _breaking_operations() -> Iterator[Site]:
    for path, method, operation in _operations():
        where = f"{method} {path}"
        yield f"{where} gone", lambda d, p=path, m=method: d["paths"][p].pop(m)
        yield (
            f"{where} renamed",
            lambda d, p=path, m=method: _at(d, p, m).update(operationId="other"),
        )
        extra = {"in": "query", "name": "new", "required": True, "schema": {"type": "string"}}
        yield (
            f"{where} new parameter",
            lambda d, p=path, m=method, e=extra: (
                _at(d, p, m).setdefault("parameters", []).append(e)
            ),
        )
        for index, parameter in enumerate(operation.get("parameters", ())):
            name = parameter["name"]
            yield (
                f"{where} without {name}",
                lambda d, p=path, m=method, i=index: _at(d, p, m)["parameters"].pop(i),
            )
            if not parameter.get("required"):
                yield (
                    f"{where} requires {name}",
                    lambda d, p=path, m=method, i=index: _at(d, p, m)["parameters"][i].update(
                        required=True
                    ),
                )
        for status in operation["responses"]:
            if status.startswith("2"):
                yield (
                    f"{where} without {status}",
                    lambda d, p=path, m=method, s=status: _at(d, p, m)["responses"].pop(s),
                )


def _breaking_bodies() -> Iterator[Site]:
    for name in sorted(_taken()):
        schema = _schema(CURRENT, name)
        if "enum" in schema:
            yield f"{name} without a value", lambda d, n=name: _schema(d, n)["enum"].pop()
        for field, described in schema.get("properties", {}).items():
            where = f"{name}.{field}"
            yield (
                f"{where} gone",
                lambda d, n=name, f=field: _schema(d, n)["properties"].pop(f),
            )
            yield (
                f"{where} another type",
                lambda d, n=name, f=field: _schema(d, n)["properties"].update(
                    {f: {"type": "object", "additionalProperties": {"type": "null"}}}
                ),
            )
            if field not in schema.get("required", ()):
                yield (
                    f"{where} required",
                    lambda d, n=name, f=field: _schema(d, n).setdefault("required", []).append(f),
                )
            for number, one in enumerate(described.get("anyOf", [described])):
                for keyword, step in (("maximum", -1), ("minimum", 1), ("maxLength", -1)):
                    if keyword in one:
                        yield (
                            f"{where} {keyword}",
                            lambda d, n=name, f=field, i=number, k=keyword, s=step: _tighten(
                                _schema(d, n)["properties"][f], i, k, s
                            ),
                        )


def _tighten(described: Schema, number: int, keyword: str, step: int) -> None:
    described.get("anyOf", [described])[number][keyword] += step


def _breaking_answers() -> Iterator[Site]:
    for name in sorted(_given()):
        schema = _schema(CURRENT, name)
        for field in schema.get("properties", {}):
            where = f"{name}.{field}"
            yield (
                f"{where} gone",
                lambda d, n=name, f=field: _schema(d, n)["properties"].pop(f),
            )
            yield (
                f"{where} perhaps null",
                lambda d, n=name, f=field: _schema(d, n)["properties"].update(
                    {f: {"anyOf": [_schema(d, n)["properties"][f], {"type": "array"}]}}
                ),
            )
            if field in schema.get("required", ()):
                yield (
                    f"{where} not always",
                    lambda d, n=name, f=field: _schema(d, n)["required"].remove(f),
                )


BREAKING = [*_breaking_operations(), *_breaking_bodies(), *_breaking_answers()]


def test_the_checker_sees_every_break() -> None:
    assert len(BREAKING) > 300
    unseen, frozen = [], pickle.dumps(CURRENT)
    for name, change in BREAKING:
        # Three times as fast as a deep copy.
        changed = pickle.loads(frozen)
        change(changed)
        if not breaks(CURRENT, changed):
            unseen.append(name)
    assert not unseen


def _wider_body(document: Schema) -> None:
    body = _schema(document, "EvaluationBody")
    body["properties"]["novel"] = {"type": "string"}
    _schema(document, "SlotsBody")["properties"]["slots"]["maximum"] += 1
    _schema(document, "Network")["enum"].append("more")


def _more_in_answers(document: Schema) -> None:
    for name in _given():
        if "properties" in (schema := _schema(document, name)):
            schema["properties"]["novel"] = {"type": "string"}
            schema.setdefault("required", []).append("novel")
    _schema(document, "Outcome")["enum"].append("novel")


def _other_words(document: Schema) -> None:
    document["info"]["version"] = "9"
    for _, methods in document["paths"].items():
        for operation in methods.values():
            operation["description"] = operation["summary"] = "novel"
            operation["responses"].setdefault("418", {"description": "novel"})


def _another_operation(document: Schema) -> None:
    document["paths"]["/api/v1/novel"] = copy.deepcopy(document["paths"]["/api/v1/queue"])


@pytest.mark.parametrize(
    "change", [_wider_body, _more_in_answers, _other_words, _another_operation, lambda _: None]
)
def test_the_checker_lets_the_api_grow(change: Callable[[Schema], None]) -> None:
    changed = copy.deepcopy(CURRENT)
    change(changed)
    assert not breaks(CURRENT, changed)


# what the document says of itself


def test_the_document_is_fit_to_be_read() -> None:
    names = [operation["operationId"] for _, _, operation in _operations()]
    assert len(names) == len(set(names))
    described = {tag["name"] for tag in CURRENT["tags"]}
    for path, method, operation in _operations():
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation.get("description"), where
        assert set(operation["tags"]) <= described, where
        assert len(operation["tags"]) == 1, where
        if path.startswith("/api/"):
            assert operation["security"] == [{"key": []}], where
            assert {"401", "403", "429"} <= operation["responses"].keys(), where
    assert CURRENT["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_every_failure_in_the_document_is_a_problem() -> None:
    text = json.dumps(CURRENT)
    assert "HTTPValidationError" not in text
    for path, method, operation in _operations():
        for status, answer in operation["responses"].items():
            if status >= "4" and path != "/readyz":
                name = answer.get("$ref", "").rpartition("/")[2]
                found = CURRENT["components"]["responses"].get(name, answer)
                media = list(found["content"])
                assert media == ["application/problem+json"], f"{method} {path} {status}"
