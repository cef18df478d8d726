"""Dashboards and alert rules, against the names that a real service really has."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from api_support import Served, served
from prometheus_client.parser import text_string_to_metric_families
from recovery_support import run, spec

from evalbox.domain.access import Scope
from evalbox.domain.outcome import Outcome

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "packaging" / "monitoring"
GUIDE = ROOT / "docs" / "observability.md"
BOARDS = sorted((MONITORING / "grafana").glob("*.json"))
#: What Prometheus itself adds.
OF_THE_TARGET = frozenset({"instance", "job"})
#: Labels whose every value is there from the start.
CLOSED = frozenset({"state", "outcome", "reason", "kind", "result", "alert", "engine"})
PANELS = frozenset({"row", "timeseries", "stat", "heatmap"})
SEVERITIES = frozenset({"critical", "warning", "info"})


@dataclass(frozen=True)
class Scraped:
    """The labels of each sample with their values, and the families, of a service."""

    families: frozenset[str]
    labels: dict[str, dict[str, set[str]]] = field(default_factory=dict)


async def _scrape(directory: Path) -> Scraped:
    async with served(directory, work=True) as service:
        await run(service.box, spec("echo", "x", ";", "artifact", "out/a", "x", artifacts=("out",)))
        async with service.client(await service.key(Scope.READ)) as client:
            await client.get("/queue")
        async with service.owner() as client, client.stream("GET", "/events/stream"):
            return await _read(service)


async def _read(service: Served) -> Scraped:
    async with service.owner() as client:
        text = (await client.get("http://box/metrics")).text
    families = list(text_string_to_metric_families(text))
    labels: dict[str, dict[str, set[str]]] = {"up": {}}
    for sample in itertools.chain.from_iterable(family.samples for family in families):
        known = labels.setdefault(sample.name, {})
        for name, value in sample.labels.items():
            known.setdefault(name, set()).add(value)
    names = (f"{item.name}_total" if item.type == "counter" else item.name for item in families)
    return Scraped(frozenset(names), labels)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Scraped:
    return asyncio.run(_scrape(tmp_path_factory.mktemp("monitoring") / "box"))


def selectors(expression: str) -> tuple[list[Any], set[str]]:
    """The metrics that an expression reads, and the labels that it groups or matches by."""
    found: list[Any] = []
    named: set[str] = set()

    def visit(node: Any) -> bool:
        match type(node).__name__:
            case "VectorSelector":
                found.append(node)
            case "MatrixSelector":
                found.append(node.vector_selector)
            case "AggregateExpr" if node.modifier is not None:
                named.update(node.modifier.labels)
            case "BinaryExpr" if node.modifier is not None and node.modifier.matching is not None:
                named.update(node.modifier.matching.labels)
        return True

    readable = expression.replace("$__rate_interval", "5m").replace("$__range", "6h")
    promql_parser.walk(promql_parser.parse(readable), pre_visit=visit)
    return found, named


def complaints(expression: str, texts: str, scraped: Scraped) -> Iterator[str]:
    """What of an expression, and of the labels in ``texts`` that show it, does not exist."""
    found, named = selectors(expression)
    if not found:
        yield "it reads no metric"
    there = set(OF_THE_TARGET)
    for selector in found:
        labels = scraped.labels.get(selector.name)
        if labels is None:
            yield f"no metric {selector.name}"
            continue
        there |= labels.keys()
        for matcher in selector.matchers.matchers:
            if matcher.name not in labels.keys() | OF_THE_TARGET:
                yield f"{selector.name} has no label {matcher.name}"
            elif matcher.name in CLOSED:
                wanted = set(matcher.value.split("|"))
                if unknown := wanted - labels[matcher.name]:
                    yield f"{selector.name}: {matcher.name} is never {sorted(unknown)}"
    shown = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", texts))
    if missing := (shown | named) - there - {"le"}:
        yield f"no label {sorted(missing)}"


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((MONITORING / "evalbox.rules.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_reads_what_exists(rule: dict[str, Any], scraped: Scraped) -> None:
    texts = " ".join(rule["annotations"].values())
    assert list(complaints(rule["expr"], texts, scraped)) == []
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description"}


def test_rules_have_names_of_their_own_and_are_explained() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    guide = GUIDE.read_text()
    assert [name for name in names if f"`{name}`" not in guide] == []


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_reads_what_exists(path: Path, scraped: Scraped) -> None:
    board = json.loads(path.read_text())
    wrong = [
        f"{panel['title']}: {complaint}"
        for panel in panels(board)
        for target in panel.get("targets", ())
        for complaint in complaints(target["expr"], target["legendFormat"], scraped)
    ]
    assert wrong == []
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            name = re.fullmatch(r"label_values\((\w+), instance\)", variable["definition"])
            assert name is not None
            assert name[1] in scraped.labels


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_what_grafana_takes(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    assert board["title"].startswith("evalbox: ")
    assert board["schemaVersion"] >= 39
    assert {item["name"] for item in board["templating"]["list"]} == {"datasource", "instance"}
    taken: set[tuple[int, int]] = set()
    for panel in panels(board):
        assert panel["type"] in PANELS
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["description"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
    numbers = [panel["id"] for panel in panels(board)]
    assert len(set(numbers)) == len(numbers)


def test_there_are_the_three_dashboards() -> None:
    stems = ["evalbox-executions", "evalbox-health", "evalbox-security"]
    assert [path.stem for path in BOARDS] == stems


def test_the_example_scrapes_what_is_served() -> None:
    document = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    (job,) = document["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("evalbox", "/metrics")
    assert [(MONITORING / name).is_file() for name in document["rule_files"]] == [True]


def test_the_guide_has_every_metric_and_no_other(scraped: Scraped) -> None:
    told = set(re.findall(r"^\| `(evalbox_\w+)`", GUIDE.read_text(), re.MULTILINE))
    assert told == scraped.families


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("evalbox_no_such > 1", "no metric evalbox_no_such"),
        ('evalbox_evaluations{colour="red"}', "evalbox_evaluations has no label colour"),
        ('evalbox_evaluations{state="quued"}', "evalbox_evaluations: state is never ['quued']"),
        ("sum by (colour) (evalbox_evaluations)", "no label ['colour']"),
        ("evalbox_slots / on (colour) evalbox_slots", "no label ['colour']"),
        ("1 + 1", "it reads no metric"),
    ],
)
def test_what_does_not_exist_is_found(expression: str, complaint: str, scraped: Scraped) -> None:
    assert list(complaints(expression, "", scraped)) == [complaint]


def test_every_outcome_is_there_from_the_start(scraped: Scraped) -> None:
    assert scraped.labels["evalbox_attempts_ended_total"]["outcome"] == set(Outcome)
