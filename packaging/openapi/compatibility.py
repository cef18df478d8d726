"""Whether a client that was written for one OpenAPI document is served by another.

Requests may become wider and answers may gain fields; a client may rely on all else. What clients
are told to expect is no break: new values of an enumeration in answers, and new failures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
#: Keywords that bound a value from below and from above.
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaks(old: Schema, new: Schema) -> list[str]:
    """What a client of ``old`` would miss in ``new``, each with its place."""
    return list(_Comparison(old, new).document())


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str, str]] = set()

    def document(self) -> Iterator[str]:
        for path, methods in self._old["paths"].items():
            for method in METHODS:
                if method in methods:
                    where = f"{method.upper()} {path}"
                    found = self._new["paths"].get(path, {}).get(method)
                    if found is None:
                        yield f"{where}: is gone"
                    else:
                        yield from self._operation(methods[method], found, where)

    def _operation(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        if old.get("operationId") != new.get("operationId"):
            yield f"{where}: has another name"
        if new.get("security") and not old.get("security"):
            yield f"{where}: needs a key"
        yield from self._parameters(old, new, where)
        yield from self._body(old, new, where)
        for status, answer in old["responses"].items():
            if status.startswith("2"):
                yield from self._answer(answer, new["responses"].get(status), f"{where} {status}")

    def _parameters(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, now = _parameters(old), _parameters(new)
        for key, parameter in before.items():
            place = f"{where} {key[1]}"
            if key not in now:
                yield f"{place}: is gone"
                continue
            if now[key].get("required") and not parameter.get("required"):
                yield f"{place}: has become required"
            yield from self._taken(parameter["schema"], now[key]["schema"], place)
        for key in now.keys() - before.keys():
            if now[key].get("required"):
                yield f"{where} {key[1]}: is new and required"

    def _body(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, now = old.get("requestBody"), new.get("requestBody")
        if before is None:
            if now is not None and now.get("required"):
                yield f"{where}: needs a body"
            return
        if now is None:
            yield f"{where}: takes no body any more"
            return
        if now.get("required") and not before.get("required"):
            yield f"{where}: needs a body"
        for media, content in before["content"].items():
            if media not in now["content"]:
                yield f"{where}: takes no {media} any more"
            else:
                taken = now["content"][media].get("schema", {})
                yield from self._taken(content.get("schema", {}), taken, where)

    def _answer(self, old: Schema, new: Schema | None, where: str) -> Iterator[str]:
        if new is None:
            yield f"{where}: is gone"
            return
        for name in old.get("headers", {}).keys() - new.get("headers", {}).keys():
            yield f"{where} {name}: is gone"
        for media, content in old.get("content", {}).items():
            if media not in new.get("content", {}):
                yield f"{where}: is no {media} any more"
            else:
                given = new["content"][media].get("schema", {})
                yield from self._given(content.get("schema", {}), given, where)

    # what is taken in: all that was, still is

    def _taken(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        if self._again("taken", old, new):
            return
        alternatives = _alternatives(_resolved(new, self._new))
        for one in _alternatives(_resolved(old, self._old)):
            yield from self._best(
                [list(self._one_taken(one, other, where)) for other in alternatives]
            )

    def _one_taken(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if not _types(old) <= _types(new):
            yield f"{where}: another type"
            return
        values = _values(new)
        if values is not None and not set(_values(old) or [_ANYTHING]) <= set(values):
            yield f"{where}: fewer values"
        yield from _narrowed(old, new, where)
        if "items" in new:
            yield from self._taken(old.get("items", {}), new["items"], f"{where}[]")
        yield from self._object_taken(old, new, where)

    def _object_taken(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{where}.{name}: is required"
        rest = new.get("additionalProperties", True)
        for name, schema in before.items():
            if name in now:
                yield from self._taken(schema, now[name], f"{where}.{name}")
            elif rest is False:
                yield f"{where}.{name}: is gone"
        if rest is False and old.get("additionalProperties", True) is not False:
            yield f"{where}: takes no other fields any more"
        if isinstance(rest, dict):
            others = old.get("additionalProperties", {})
            yield from self._taken(others if isinstance(others, dict) else {}, rest, f"{where}.*")

    # what is given out: all that was promised, still is

    def _given(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        if self._again("given", old, new):
            return
        alternatives = _alternatives(_resolved(old, self._old))
        for one in _alternatives(_resolved(new, self._new)):
            yield from self._best(
                [list(self._one_given(other, one, where)) for other in alternatives]
            )

    def _one_given(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if not _types(new) <= _types(old):
            yield f"{where}: another type"
            return
        if "items" in old:
            yield from self._given(old["items"], new.get("items", {}), f"{where}[]")
        others = old.get("additionalProperties")
        if isinstance(others, dict):
            rest = new.get("additionalProperties")
            yield from self._given(others, rest if isinstance(rest, dict) else {}, f"{where}.*")
        promised = set(old.get("required", ())) - set(new.get("required", ()))
        for name, schema in old.get("properties", {}).items():
            if name not in new.get("properties", {}):
                yield f"{where}.{name}: is gone"
            elif name in promised:
                yield f"{where}.{name}: is not always there any more"
            else:
                yield from self._given(schema, new["properties"][name], f"{where}.{name}")

    def _best(self, complaints: list[list[str]]) -> Iterator[str]:
        yield from min(complaints, key=len)

    def _again(self, how: str, old: Schema, new: Schema) -> bool:
        """Whether two named schemas are compared a second time, as in a circle."""
        if "$ref" not in old or "$ref" not in new:
            return False
        key = (how, old["$ref"], new["$ref"])
        if key in self._seen:
            return True
        self._seen.add(key)
        return False


_ANYTHING = object()
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def _parameters(operation: Schema) -> dict[tuple[str, str], Schema]:
    return {(one["in"], one["name"]): one for one in operation.get("parameters", ())}


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        found: Schema = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _alternatives(schema: Schema) -> list[Schema]:
    found: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return found


def _types(schema: Schema) -> frozenset[str]:
    named = schema.get("type")
    if named is None:
        return _TYPES
    found = {named} if isinstance(named, str) else set(named)
    return frozenset(found | {"integer"} if "number" in found else found)


def _values(schema: Schema) -> list[Any] | None:
    """What a value may be, where that is told one by one."""
    found = [schema["const"]] if "const" in schema else schema.get("enum")
    return None if found is None else [repr(one) for one in found]


def _narrowed(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for keyword in _LOWER:
        if keyword in new and not old.get(keyword, float("-inf")) >= new[keyword]:
            yield f"{where}: {keyword} {new[keyword]}"
    for keyword in _UPPER:
        if keyword in new and not old.get(keyword, float("inf")) <= new[keyword]:
            yield f"{where}: {keyword} {new[keyword]}"
    for keyword in ("pattern", "multipleOf", "format", "uniqueItems"):
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{where}: {keyword} {new[keyword]}"
