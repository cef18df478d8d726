"""Evaluations as JSON, CSV and JUnit XML, from a box on the fake engine."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.config.settings import Settings
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import final_state
from evalbox.engines.fake import FakeEngine
from evalbox.errors import Conflict, StoreReadOnly
from evalbox.export import junit, reading, spreadsheet
from evalbox.export.formats import Format, form_of, render
from evalbox.export.saving import save
from evalbox.export.xml import attribute, content
from evalbox.service.local import LocalBox


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[LocalBox]:
    settings = Settings(data_dir=tmp_path / "box", engine="fake", load_per_core=1000)
    box = await LocalBox.open(settings, work=True, engines=[FakeEngine()])
    yield box
    await box.close(drain=0)


def spec(name: str, *command: str, **other: Any) -> EvaluationSpec:
    return EvaluationSpec(name, command or ("true",), "fake/image", engine="fake", **other)


async def submitted(box: LocalBox, *specs: EvaluationSpec) -> list[str]:
    ids = [item.id for item in await box.submit(specs)]
    for one in ids:
        await box.wait(one)
    return ids


async def exported(box: LocalBox, form: Format, **other: Any) -> bytes:
    items = reading.matching(box, EvaluationFilter())
    return b"".join([data async for data in render(box, items, form, **other)])


async def listed(*items: Evaluation) -> AsyncIterator[Evaluation]:
    for item in items:
        yield item


def made(name: str, outcome: Outcome, **other: Any) -> Evaluation:
    made = EvaluationSpec(name, ("x",), "image", batch=other.pop("batch", None))
    return Evaluation("0" * 22, made, final_state(outcome), 1.0, 2.0, outcome=outcome, **other)


# --- JSON ---


async def test_json_is_an_array_of_documents(box: LocalBox) -> None:
    assert json.loads(await exported(box, Format.JSON)) == []
    await submitted(box, spec("one"), spec("two", "false", labels={"agent": "x"}))
    found = json.loads(await exported(box, Format.JSON))
    assert [(item["name"], item["outcome"]) for item in found] == [
        ("two", "failed"), ("one", "ok"),
    ]  # fmt: skip


# --- CSV ---


async def test_csv_has_a_line_for_each(box: LocalBox) -> None:
    await submitted(box, spec("one"), spec('two, "quoted"', "exit", "3", labels={"agent": "x"}))
    text = (await exported(box, Format.CSV)).decode()
    assert text.endswith("\r\n")
    two, one = csv.DictReader(io.StringIO(text))
    assert (one["name"], one["outcome"], one["exit_code"], one["score"]) == ("one", "ok", "0", "")
    assert (two["name"], two["agent"], two["exit_code"]) == ('two, "quoted"', "x", "3")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "＝1"])
def test_formulas_are_text(text: str) -> None:
    cell = spreadsheet.cell(text)
    assert isinstance(cell, str)
    assert cell.startswith("'")


@given(st.text())
def test_no_cell_is_computed_or_obeyed(text: str) -> None:
    cell = spreadsheet.cell(text)
    assert isinstance(cell, str)
    assert not cell.startswith(("=", "+", "-", "@"))
    assert not re.search("[\x00-\x1f\x7f\x9b]", cell)
    cell.encode()


async def test_numbers_stay_numbers() -> None:
    item = made("n", Outcome.OK, score=Score(ScoreKind.NUMBER, -1.5))
    text = b"".join([data async for data in spreadsheet.render(listed(item))]).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["score"], row["score_kind"]) == ("-1.5", "number")


# --- JUnit ---

#: The schema that CI servers agree on: what each element may have and hold, in this order.
_ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": (set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}, {"testcase"},
    ),
    "testcase": ({"classname", "name", "time"}, {"failure", "error", "skipped"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "skipped": ({"message"}, set()),
}  # fmt: skip


def valid(data: bytes) -> ET.Element:
    root = ET.fromstring(data)
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = _ALLOWED[element.tag]
        assert set(element.attrib) <= attributes, element.attrib
        assert {child.tag for child in element} <= children
    for suite in root:
        cases = list(suite)
        assert int(suite.attrib["tests"]) == len(cases)
        for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[counted]) == len(suite.findall(f"testcase/{tag}"))
        assert all(len(case) <= 1 for case in cases)
        assert float(suite.attrib["time"]) == pytest.approx(
            sum(float(case.attrib["time"]) for case in cases), abs=0.001 * (len(cases) + 1)
        )
        if "timestamp" in suite.attrib:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    return root


async def test_junit_has_a_suite_for_each_batch(box: LocalBox) -> None:
    await submitted(
        box,
        spec("good", batch="a"),
        spec("bad", "error", "\x1b[31mit broke\x1b[0m <&>", ";", "exit", "2", batch="b"),
        spec("alone"),
        spec("broken", "infra", batch="a"),
    )
    root = valid(await exported(box, Format.JUNIT))
    assert {suite.attrib["name"]: len(suite) for suite in root} == {"a": 2, "b": 1, "evalbox": 1}
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.attrib["type"] == "failed"
    assert "it broke <&>" in (failure.text or "")
    assert "[31m" not in (failure.text or "")
    error = root.find(".//error")
    assert error is not None
    assert error.attrib["type"] == "infra_error"
    bare = valid(await exported(box, Format.JUNIT, output=False))
    told = bare.find(".//failure")
    assert told is not None
    assert "it broke <&>" not in (told.text or "")


async def test_another_reader_of_junit_finds_the_same(box: LocalBox, tmp_path: Path) -> None:
    shown = "<&> ]]> \U0001f98a"
    said = f"\x1b[31m\x01{shown}"
    await submitted(
        box, spec(said, batch=shown), spec("bad", "error", said, ";", "exit", "2"),
        spec("lost", "infra"),
    )  # fmt: skip
    await box.pause()
    await box.submit([spec("waits", batch=shown)])
    place = tmp_path / "it.xml"
    place.write_bytes(await exported(box, Format.JUNIT))
    found = junitparser.JUnitXml.fromfile(str(place))
    assert {(one.name, one.tests, one.failures, one.errors, one.skipped) for one in found} == {
        ("evalbox", 2, 1, 1, 0), (shown, 2, 0, 0, 1),
    }  # fmt: skip
    (failed,) = [case for suite in found for case in suite if case.name == "bad"]
    assert isinstance(failed.result[0], junitparser.Failure)
    assert failed.result[0].type == "failed"
    assert shown in failed.result[0].text


async def test_junit_of_nothing_and_of_what_has_not_ended(box: LocalBox) -> None:
    assert len(valid(await exported(box, Format.JUNIT))) == 0
    await box.pause()
    await box.submit([spec("waits")])
    skipped = valid(await exported(box, Format.JUNIT)).find(".//skipped")
    assert skipped is not None
    assert skipped.attrib == {"message": "queued"}


async def test_scores_that_are_none_are_told(box: LocalBox) -> None:
    items = listed(
        made("manual", Outcome.OK, score=Score(ScoreKind.MANUAL)),
        made("invalid", Outcome.OK, score=Score(ScoreKind.INVALID, reason="NaN")),
        made("cancelled", Outcome.CANCELLED),
    )
    root = valid(b"".join([data async for data in junit.render(box, items, output=False)]))
    tags = {case.attrib["name"]: case[0].tag for case in root.iter("testcase")}
    assert tags == {"manual": "skipped", "invalid": "error", "cancelled": "skipped"}


@given(st.text(), st.text())
def test_any_text_is_xml(name: str, text: str) -> None:
    data = f'<a name="{attribute(name)}">{content(text)}</a>'.encode()
    found = ET.fromstring(data)
    # What was legal is as it was: line ends and tabs too.
    assert content(found.text or "") == content(text)
    assert attribute(found.attrib["name"]) == attribute(name)


async def test_many_in_any_order_are_grouped(box: LocalBox) -> None:
    items = [made(f"case {n}", Outcome.FAILED, batch=f"b{n % 7}") for n in range(5000)]
    pieces = [data async for data in junit.render(box, listed(*items), output=False)]
    assert max(map(len, pieces)) < 1 << 18
    root = valid(b"".join(pieces))
    assert [suite.attrib["name"] for suite in root] == [f"b{n}" for n in range(7)]
    first = [case.attrib["name"] for case in root[0]]
    assert first == [f"case {n}" for n in range(0, 5000, 7)]


# --- which, and where to ---


async def test_chosen_ones_are_read_few_or_many(box: LocalBox, monkeypatch: Any) -> None:
    ids = await submitted(box, *[spec(str(n)) for n in range(6)])
    wanted = {ids[4], ids[1], "0" * 22}
    few = [item.id async for item in reading.named(box, wanted)]
    monkeypatch.setattr(reading, "_FEW", 1)
    many = [item.id async for item in reading.named(box, wanted, page=2)]
    assert few == many == [ids[4], ids[1]]
    newest = reading.matching(box, EvaluationFilter(), limit=3, page=2)
    assert [item.id async for item in newest] == ids[:2:-1]


def test_the_form_is_told_by_the_name() -> None:
    names = ["a.csv", "A.XML", "x.json", "x", "-"]
    assert [form_of(name) for name in names] == [
        Format.CSV, Format.JUNIT, Format.JSON, Format.JSON, Format.JSON,
    ]  # fmt: skip


async def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("lost")

    async def whole() -> AsyncIterator[bytes]:
        yield b"whole"

    place = tmp_path / "deep" / "file"
    with pytest.raises(RuntimeError):
        await save(breaking(), place)
    assert list(place.parent.iterdir()) == []
    assert await save(whole(), place, replace=False) == 5
    with pytest.raises(Conflict):
        await save(whole(), place, replace=False)
    assert [path.name for path in place.parent.iterdir()] == ["file"]
    with pytest.raises(StoreReadOnly):
        await save(whole(), place / "below")
    # A link is replaced, not followed.
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "link").symlink_to(target)
    await save(whole(), tmp_path / "link")
    assert target.read_text() == "kept"
