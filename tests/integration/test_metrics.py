"""``/metrics`` of a real service, read by Prometheus' own parsers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import Served, code, served
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from recovery_support import AT_ONCE, run, spec, until

from evalbox.domain.access import Scope
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.errors import StoreError
from evalbox.telemetry.metrics import MOST_SERIES, OTHER, Counter


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "box", work=True) as made:
        yield made


async def scrape(service: Served, **headers: str) -> list[Metric]:
    async with service.owner() as client:
        answer = await client.get("http://box/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return list(text_string_to_metric_families(answer.text))


def value(metrics: Iterable[Metric], name: str, **labels: str) -> float:
    """The sum of the samples that have these labels; 0 where there is none."""
    return sum(
        sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == f"evalbox_{name}" and labels.items() <= sample.labels.items()
    )


async def fresh(service: Served) -> list[Metric]:
    """A scrape that is no copy of the one before."""
    service.box.metrics._counted_at = float("-inf")
    return await scrape(service)


async def test_what_ran_is_counted_and_timed(service: Served) -> None:
    for _ in range(3):
        await run(service.box, spec("echo", "hello"))
    await run(service.box, spec("exit", "3"))
    await run(service.box, spec("exit", "4", retry=RetryPolicy(retries=1, base=0, cap=0)))
    seen = await fresh(service)
    assert value(seen, "evaluations", state="completed") == 3
    assert value(seen, "evaluations", state="failed") == 2
    assert value(seen, "evaluations", state="queued") == 0
    assert value(seen, "evaluations_ended_total", state="completed", outcome="ok") == 3
    assert value(seen, "evaluations_ended_total", state="failed", outcome="failed") == 2
    assert value(seen, "attempts_ended_total", engine="fake", outcome="failed") == 3
    assert value(seen, "retries_total", outcome="failed") == 1
    assert value(seen, "queue_wait_seconds_count") == 5
    assert value(seen, "attempt_start_seconds_count", engine="fake") == 6
    assert value(seen, "attempt_run_seconds_count", outcome="ok") == 3
    assert value(seen, "attempt_first_output_seconds_count") == 3
    assert value(seen, "attempt_output_bytes_total") == 18
    assert value(seen, "events_total", kind="evaluation.running") == 6
    for phase in ("sandbox", "files", "launch", "run", "verdict"):
        assert value(seen, "attempt_phase_seconds_count", phase=phase) == 6, phase
    assert value(seen, "engine_open", engine="fake") == 1
    assert value(seen, "working") == 1
    assert value(seen, "slots") == service.settings.slots
    assert value(seen, "store_commit_seconds_count") > 0
    assert value(seen, "host_memory_total_bytes") > 0
    assert value(seen, "process_resident_memory_bytes") > 0


async def test_the_queue_and_its_oldest(service: Served) -> None:
    await service.box.pause()
    await service.box.submit([spec("true"), spec("true", not_before=2e9)])
    seen = await fresh(service)
    assert value(seen, "evaluations", state="queued") == 2
    assert value(seen, "queue_delayed") == 1
    assert value(seen, "queue_paused") == 1
    assert 0 < value(seen, "queue_oldest_age_seconds") < 10
    (first, *_) = (await service.box.submit([spec("true")]),)
    await service.box.cancel([item.id for item in first])
    seen = await fresh(service)
    assert value(seen, "evaluations_ended_total", state="cancelled", outcome="cancelled") == 1


async def test_what_fails_at_the_engine(service: Served) -> None:
    ended = await run(service.box, spec("infra", retry=AT_ONCE))
    assert ended.state is State.DEAD
    seen = await fresh(service)
    assert value(seen, "attempts_ended_total", outcome="infra_error") == 4
    assert value(seen, "engine_errors_total", engine="fake") >= 4
    assert value(seen, "evaluations", state="dead") == 1


async def test_the_warm_pool(tmp_path: Path) -> None:
    async with served(tmp_path / "box", work=True, pool=1) as service:

        async def warmed() -> bool:
            return (await service.box.queue()).warm == 1

        await until(warmed)
        await run(service.box, spec("true"))
        seen = await fresh(service)
        assert value(seen, "warm_pool_requests_total", engine="fake") == 1
        assert value(seen, "warm_sandboxes_wanted") == 1


async def test_requests_by_the_template_of_their_route(service: Served) -> None:
    key = await service.key(Scope.READ)
    async with service.client(key) as client:
        for number in range(20):
            await client.get(f"/evaluations/no-such-{number}")
        await client.get("/no/such")
        await client.request("PROPFIND", "/queue")
        await client.post("/queue/pause")
    async with service.client("evb_no_key") as client:
        await client.get("/queue")
    seen = await fresh(service)
    route = "/api/v1/evaluations/{id}"
    count = "api_request_seconds_count"
    assert value(seen, count, method="GET", route=route, status="404") == 20
    assert value(seen, count, route="none", status="404") == 1
    assert value(seen, count, method="other") == 1
    assert value(seen, "api_refused_requests_total", reason="forbidden") == 1
    assert value(seen, "api_refused_requests_total", reason="unauthenticated") == 1
    assert value(seen, "api_requests_in_progress") == 1
    routes = {
        sample.labels["route"]
        for metric in seen
        for sample in metric.samples
        if "route" in sample.labels
    }
    assert routes <= service.application.api.openapi()["paths"].keys() | {"none"}


async def test_labels_are_of_closed_lists(service: Served) -> None:
    """What clients and users choose never becomes a label, so the number of series is bounded."""
    names = [f"name-{number}" for number in range(30)]
    for name in names:
        made = spec("true", name=name, batch=name, labels={"user": name})
        await run(service.box, made)
    seen = await fresh(service)
    samples = [sample for metric in seen for sample in metric.samples]
    values = {text for sample in samples for text in sample.labels.values()}
    assert not values & set(names)
    assert len(samples) < 600


def test_a_label_that_is_of_no_closed_list_is_cut_off() -> None:
    counter = Counter("x", "X.", ("a",))
    for number in range(MOST_SERIES + 10):
        counter.add(1, str(number))
    values = counter.read().values
    assert len(values) == MOST_SERIES + 1
    assert values[(OTHER,)] == 10


async def test_names_follow_the_conventions(service: Served) -> None:
    await run(service.box, spec("echo", "x"))
    for metric in await fresh(service):
        assert metric.name.startswith("evalbox_"), metric.name
        assert metric.documentation, metric.name
        assert metric.type in ("gauge", "counter", "histogram"), metric.name
        if metric.type == "histogram":
            assert metric.name.endswith("_seconds"), metric.name


async def test_openmetrics_for_those_who_prefer_it(service: Served) -> None:
    async with service.owner() as client:
        answer = await client.get(
            "http://box/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
        )
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "evalbox_evaluations" in {metric.name for metric in openmetrics(answer.text)}


async def test_over_tcp_it_needs_a_key(service: Served) -> None:
    async with httpx.AsyncClient(base_url=service.url) as client:
        assert code(await client.get("/metrics")) == (401, "unauthenticated")
        headers = {"Authorization": f"Bearer {await service.key(Scope.READ)}"}
        assert (await client.get("/metrics", headers=headers)).status_code == 200


async def test_many_scrapes_at_once_count_once(service: Served) -> None:
    await run(service.box, spec("true"))
    service.box.metrics._counted_at = float("-inf")
    all_seen = await asyncio.gather(*(scrape(service) for _ in range(10)))
    assert {value(seen, "evaluations_ended_total") for seen in all_seen} == {1.0}


async def test_streams_that_are_open(service: Served) -> None:
    async with service.owner() as client:
        address = "/events/stream"
        async with client.stream("GET", address) as stream:
            assert stream.status_code == 200
            seen = await fresh(service)
            assert value(seen, "api_streams") == 1

        async def closed() -> bool:
            return value(await fresh(service), "api_streams") == 0

        await until(closed)


async def test_readiness_says_what_is_wrong(tmp_path: Path) -> None:
    async with served(tmp_path / "box", work=True) as service, service.owner() as client:

        async def ready() -> bool:
            return (await client.get("http://box/readyz")).status_code == 200

        async def shut() -> bool:
            return not await ready()

        await until(ready)
        engine = service.box._engine("fake")
        assert isinstance(engine, FakeEngine)
        engine.down = True
        await service.box.submit([spec("true")])
        await until(shut)
        answer = await client.get("http://box/readyz")
        told = (answer.status_code, answer.json()["status"])
        assert told == (503, "engine fake makes no sandboxes")
        engine.down = False
        await until(ready)

        async def told() -> bool:
            # Small writes of the box's own may still fit in between, and say that all is well.
            await _exhaust(service)
            answer = await client.get("http://box/readyz")
            return bool(answer.json()["status"] == "the store cannot be written")

        await until(told)


async def _exhaust(service: Served) -> None:
    """Leaves the database no room to grow, as a full disk does."""

    def fill(connection: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("CREATE TABLE filler (content BLOB)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(10000000))")

    with pytest.raises(StoreError):
        await service.box._store._write(fill)
