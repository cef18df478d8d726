"""Bodies with something wrong in one place, made of the schemas of the OpenAPI document."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from contract import DOCUMENT

Schema = dict[str, Any]

#: JSON as it is sent; much of it is what no library would let one write.
HOSTILE = {
    "null": "null",
    "true": "true",
    "zero": "0",
    "minus one": "-1",
    "minus zero": "-0.0",
    "tiny": "1e-320",
    "huge": "1e308",
    "beyond a double": "1e999",
    "not a number": "NaN",
    "infinity": "-Infinity",
    "2^63": str(2**63),
    "2^64": str(2**64),
    "400 digits": "1" * 400,
    "5000 digits": "1" * 5000,
    "half": "0.5",
    "empty text": '""',
    "a number as text": '"1"',
    "blank": '"  "',
    "NUL": r'"a\u0000b"',
    "a lone surrogate": r'"a\ud800b"',
    "bidi": r'"a\u202eb"',
    "control characters": r'"a\u001b[31mb\r\n"',
    "long text": '"' + "x" * 70_000 + '"',
    "traversal": '"../../../../etc/passwd"',
    "SQL": '"x\'; DROP TABLE evaluations; --"',
    "glob": '"*[!a]?"',
    "list": "[]",
    "list of itself": "[" * 60 + "]" * 60,
    "object": "{}",
    "object of itself": '{"a":' * 60 + "1" + "}" * 60,
    "an unknown field": '{"unknown_field": 1}',
    "prototype": '{"__proto__": {"admin": true}, "constructor": 1}',
}

_HERE = "@@here@@"


def resolved(schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for one in schema.get("anyOf", ()):
        if one.get("type") != "null":
            return resolved(one)
    return schema


def valid(schema: Schema) -> Any:
    """The example of a schema, or the least that it allows."""
    schema = resolved(schema)
    if "examples" in schema:
        return copy.deepcopy(schema["examples"][0])
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            needed = schema.get("required", ())
            return {name: valid(schema["properties"][name]) for name in needed}
        case "array":
            return [valid(schema["items"])] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
    return "x" * max(1, schema.get("minLength", 1))


def places(schema: Schema, depth: int = 0) -> Iterator[Any]:
    """The valid value of a schema with a mark in the place of one field, for every field."""
    schema = resolved(schema)
    whole = valid(schema)
    if schema.get("type") == "object" and "properties" in schema and depth < 4:
        for name, described in schema["properties"].items():
            for inner in [_HERE, *places(described, depth + 1)]:
                yield {**whole, name: inner}
        yield {**whole, _HERE: 1}
    elif schema.get("type") == "array" and "items" in schema:
        for inner in [_HERE, *places(schema["items"], depth + 1)]:
            yield [inner]
    elif isinstance(schema.get("additionalProperties"), dict):
        yield {"name": _HERE}
        yield {_HERE: "value"}


def texts(schema: Schema) -> Iterator[tuple[str, bytes]]:
    """Each place with each hostile value, as it is sent."""
    for place in [_HERE, *places(schema)]:
        text = json.dumps(place)
        for name, value in HOSTILE.items():
            key = f'"{_HERE}":' in text
            if key and not value.startswith('"'):
                continue
            yield f"{name} in {text}", text.replace(f'"{_HERE}"', value).encode()
