"""What is typed behind ``/``: words that must all be found, ``!word`` that must not, and
``field:value``. A word is a regular expression, in any case unless it has a capital. A field is
compared with a number by ``field:>0.5``, and by ``>=``, ``<``, ``<=`` and ``=``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalbox.domain.evaluation import Priority
from evalbox.domain.score import Score
from evalbox.tui.model.row import Row

_RELATIONS = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
}
_COMPARED = re.compile(r"(>=|<=|>|<|=)([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)")

#: Gives the text of a row in which a word is looked for.
Text = Callable[[Any], str]

_FIELDS: dict[str, Callable[[Row], str]] = {
    "state": lambda row: row.state,
    "outcome": lambda row: row.outcome or "",
    "task": lambda row: row.name,
    "name": lambda row: row.name,
    "batch": lambda row: row.batch,
    "engine": lambda row: row.engine,
    "kind": lambda row: row.kind,
    "label": lambda row: row.labels,
    "priority": lambda row: Priority(row.priority).name.lower(),
    "reason": lambda row: row.reason,
    "error": lambda row: row.error,
    "agent": lambda row: row.agent,
    "score": lambda row: _score(row.score),
    "tries": lambda row: str(row.attempts),
    "id": lambda row: row.id,
}

FIELDS = tuple(_FIELDS)


def _score(score: Score | None) -> str:
    if score is None:
        return ""
    return str(score.kind) if score.value is None else repr(score.value)


def _anywhere(row: Row) -> str:
    return f"{row.name}\n{row.batch}\n{row.labels}\n{row.state}\n{row.outcome}"


@dataclass(frozen=True, slots=True)
class Term:
    """``plain`` is what to look for where that is no more than a word in small letters."""

    text: Text
    pattern: re.Pattern[str]
    inverse: bool
    plain: str = ""

    def holds(self, row: object) -> bool:
        if self.plain:
            found = self.plain in self.text(row).lower()
        else:
            found = self.pattern.search(self.text(row)) is not None
        return found is not self.inverse


@dataclass(frozen=True, slots=True)
class Compared:
    """Holds for no row whose text is not a number."""

    text: Text
    relation: Callable[[float, float], bool]
    number: float
    inverse: bool

    def holds(self, row: object) -> bool:
        try:
            found = self.relation(float(self.text(row)), self.number)
        except ValueError:
            return False
        return found is not self.inverse


@dataclass(frozen=True, slots=True)
class Query:
    """``problem`` says in words what cannot be read as it was meant; it is then taken literally."""

    source: str
    terms: Sequence[Term | Compared] = ()
    problem: str = ""

    def holds(self, row: object) -> bool:
        return all(term.holds(row) for term in self.terms)


EVERYTHING = Query("")


def parse(source: str, fields: Mapping[str, Text] = _FIELDS, anywhere: Text = _anywhere) -> Query:
    """Never fails: what is being typed is often half of something.

    ``fields`` are those of the rows, by default of evaluations; words without one are looked for
    ``anywhere``.
    """
    terms: list[Term | Compared] = []
    problems: list[str] = []
    for word in source.split():
        inverse = word.startswith("!")
        body = word[1:] if inverse else word
        text, body = _field(body, fields, anywhere)
        if not body:
            continue
        if text is not anywhere and (compared := _COMPARED.fullmatch(body)):
            relation, number = _RELATIONS[compared[1]], float(compared[2])
            terms.append(Compared(text, relation, number, inverse))
            continue
        pattern, problem = _compiled(body)
        if problem:
            problems.append(problem)
        plain = body if body.isalnum() and body.isascii() and body.islower() else ""
        terms.append(Term(text, pattern, inverse, plain))
    return Query(source, tuple(terms), problems[0] if problems else "")


def _field(word: str, fields: Mapping[str, Text], anywhere: Text) -> tuple[Text, str]:
    name, colon, value = word.partition(":")
    if colon and name.lower() in fields:
        return fields[name.lower()], value
    return anywhere, word


def _compiled(body: str) -> tuple[re.Pattern[str], str]:
    # Beginnings and ends are those of a field, of which there are several.
    flags = re.MULTILINE
    if not any(character.isupper() for character in body):
        flags |= re.IGNORECASE
    try:
        return re.compile(body, flags), ""
    except re.error as error:
        return re.compile(re.escape(body), flags), f"{body!r}: {error}"
