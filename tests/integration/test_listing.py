"""A page of a list: the same, whichever condition leads the query."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from evalbox.domain.clock import ManualClock
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, Priority
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import State
from evalbox.store import listing
from evalbox.store.sqlite import Connection, open_reader
from evalbox.store.store import Store

BATCHES, MODELS = (None, "a", "b"), ("x", "y", "z", "rare")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("listing")


@pytest.fixture
async def connection(database: Path) -> AsyncIterator[Connection]:
    if not (database / "evalbox.db").exists():
        await _fill(database)
    connection = open_reader(database / "evalbox.db")
    yield connection
    connection.close()


async def _fill(directory: Path) -> None:
    clock = ManualClock()
    async with await Store.open(directory, clock=clock) as store:
        specs = [
            EvaluationSpec(
                name=f"one-{number}", command=("true",), image="base", engine="fake",
                batch=BATCHES[number % 3], priority=tuple(Priority)[number % len(Priority)],
                labels={"model": MODELS[3 if number % 17 == 0 else number % 2], "suite": "s"}
                if number % 5
                else {},
            )
            for number in range(120)
        ]  # fmt: skip
        made = await store.submit(specs, clock.now())
        await store.request_cancel([one.id for one in made[::4]], clock.now())


filters = some.builds(
    EvaluationFilter,
    states=some.frozensets(some.sampled_from([State.QUEUED, State.CANCELLED, State.COMPLETED])),
    outcomes=some.frozensets(some.sampled_from([Outcome.CANCELLED, Outcome.OK])),
    batch=some.sampled_from([*BATCHES, "none"]),
    name=some.sampled_from([None, "one-1*", "two"]),
    labels=some.dictionaries(
        some.sampled_from(["model", "suite", "other"]), some.sampled_from([*MODELS, "s"])
    ),
    engine=some.sampled_from([None, "fake", "gvisor"]),
    priority=some.sampled_from([None, *Priority]),
)


def _meets(one: Evaluation, wanted: EvaluationFilter) -> bool:
    return (
        (not wanted.states or one.state in wanted.states)
        and (not wanted.outcomes or one.outcome in wanted.outcomes)
        and wanted.batch in (None, one.spec.batch)
        and (wanted.name is None or (wanted.name == "one-1*" and one.spec.name.startswith("one-1")))
        and all(one.spec.labels.get(key) == value for key, value in wanted.labels.items())
        and wanted.engine in (None, one.spec.engine)
        and wanted.priority in (None, one.spec.priority)
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=filters, limit=some.integers(1, 50), newest_first=some.booleans(),
       many=some.sampled_from([1, 10, 1000]))  # fmt: skip
async def test_pages_hold_what_a_plain_filter_finds(
    connection: Connection, wanted: EvaluationFilter, limit: int, newest_first: bool, many: int
) -> None:
    everything = listing.page(connection, EvaluationFilter(), 1000, None, newest_first)
    assert len(everything) == 120
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "_MANY", many)
        pages: list[list[Evaluation]] = [[]]
        while len(pages) == 1 or len(pages[-1]) == limit:
            after = pages[-1][-1].id if pages[-1] else None
            pages.append(listing.page(connection, wanted, limit, after, newest_first))
    found = [one.id for one in itertools.chain.from_iterable(pages)]
    assert found == [one.id for one in everything if _meets(one, wanted)]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (EvaluationFilter(labels={"model": "rare", "suite": "s"}), "labels_by_value"),
        (EvaluationFilter(labels={"suite": "s"}, states=frozenset([State.COMPLETED])), "by_state"),
        (EvaluationFilter(labels={"model": "rare"}, batch="a"), "labels_by_value"),
        (EvaluationFilter(batch="a", states=frozenset([State.QUEUED])), "by_batch"),
        (EvaluationFilter(outcomes=frozenset([Outcome.CANCELLED])), "by_outcome"),
    ],
    ids=["labels", "state", "label of a batch", "batch", "outcome"],
)
async def test_what_fewest_meet_leads_and_nothing_is_sorted(
    connection: Connection, wanted: EvaluationFilter, index: str
) -> None:
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    listing.page(connection, wanted, 10, None, newest_first=True)
    connection.set_trace_callback(None)
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + asked[-1])]
    assert index in plan[0]
    assert not any("TEMP B-TREE" in step for step in plan)
