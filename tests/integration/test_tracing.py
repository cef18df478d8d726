"""One trace from the request to the verdict, by OpenTelemetry's own exporter in memory."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from api_support import served
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from recovery_support import ended, opened, reaches, run, settings_in, spec, until

from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine, FakeHost
from evalbox.errors import ConfigError
from evalbox.service.local import LocalBox
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client
from evalbox.telemetry import traces

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
BODY = {"name": "traced", "command": ["artifact", "out/a", "x", ";", "echo", "hi"], "image": "any"}


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    made = InMemorySpanExporter()
    traces.configure(exporter=made)
    yield made
    traces.close()


def by_name(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    spans = exporter.get_finished_spans()
    named = {span.name: span for span in spans}
    assert len(named) == len(spans), [span.name for span in spans]
    return named


def parent(span: ReadableSpan) -> str:
    return f"{span.parent.span_id:016x}" if span.parent else ""


def identity(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


async def test_one_trace_from_the_request_to_the_verdict(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with served(tmp_path / "box", work=True) as service:
        async with service.owner() as client:
            answer = await client.post(
                "/evaluations",
                json=BODY | {"engine": "fake", "artifacts": ["out"]},
                headers={"traceparent": TRACEPARENT, "X-Request-ID": "abc"},
            )
            assert answer.status_code == 201, answer.text
        await ended(service.box, answer.json()["id"])

        async def told() -> bool:
            return any(span.name == "attempt" for span in exporter.get_finished_spans())

        await until(told)
    spans = by_name(exporter)
    assert {trace_of(span) for span in spans.values()} == {TRACE}
    request = spans["POST /api/v1/evaluations"]
    assert parent(request) == CALLER
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["evalbox.request_id"] == "abc"
    assert parent(spans["submit"]) == identity(request)
    for name in ("queue", "attempt"):
        assert parent(spans[name]) == identity(spans["submit"]), name
    for name in ("sandbox", "files", "launch", "run", "verdict", "destroy"):
        assert parent(spans[name]) == identity(spans["attempt"]), name
    assert parent(spans["artifacts"]) == identity(spans["run"])
    attempt = spans["attempt"]
    assert attempt.attributes is not None
    assert attempt.attributes["evalbox.evaluation"] == answer.json()["id"]
    assert attempt.attributes["evalbox.outcome"] == "ok"
    for span in spans.values():
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time, span.name


async def test_the_trace_goes_on_after_a_restart(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    settings, host = settings_in(tmp_path / "box"), FakeHost()
    wanted = spec("sleep", "0.3", ";", "echo", "done")
    async with opened(settings, FakeEngine(host=host)) as box:
        with traces.span("caller"):
            (running, queued) = await box.submit([wanted, spec("true", not_before=1e10)])
            trace = traces.trace_id(traces.current())
        await reaches(box, running.id, State.RUNNING)
    async with opened(settings, FakeEngine(host=host)) as box:
        assert (await ended(box, running.id)).outcome is Outcome.OK
        assert traces.trace_id((await box.get(queued.id)).spec.trace) == trace
    spans = exporter.get_finished_spans()
    assert {trace_of(span) for span in spans} == {trace}
    outcomes = [
        (span.attributes["evalbox.adopted"], span.attributes["evalbox.outcome"])
        for span in spans
        if span.name == "attempt" and span.attributes
    ]
    assert outcomes == [(False, "left"), (True, "ok")]
    submit = next(span for span in spans if span.name == "submit")
    assert {parent(span) for span in spans if span.name == "attempt"} == {identity(submit)}


async def test_each_of_many_in_flight_keeps_to_its_own(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with opened(settings_in(tmp_path / "box"), FakeEngine()) as box:
        made = {}
        for number in range(8):
            with traces.span(f"caller {number}"):
                (evaluation,) = await box.submit([spec("echo", str(number))])
                made[evaluation.id] = traces.trace_id(traces.current())
        for evaluation_id in made:
            await ended(box, evaluation_id)
    of_attempts = {
        identity(span): span for span in exporter.get_finished_spans() if span.name == "attempt"
    }
    seen = {
        str(span.attributes["evalbox.evaluation"]): trace_of(span)
        for span in of_attempts.values()
        if span.attributes
    }
    assert seen == made
    for span in exporter.get_finished_spans():
        if span.name == "sandbox":
            assert trace_of(span) == trace_of(of_attempts[parent(span)])


async def test_a_client_of_ours_goes_on_with_its_trace(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with served(tmp_path / "box") as service:
        client = Client(service.url, key=await service.key())
        async with RemoteBox(client) as remote:
            with traces.span("caller"):
                (evaluation,) = await remote.submit([spec("true")])
                trace = traces.trace_id(traces.current())
        assert traces.trace_id((await service.box.get(evaluation.id)).spec.trace) == trace


async def test_an_infra_error_is_an_error_of_its_span(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with opened(settings_in(tmp_path / "box"), FakeEngine()) as box:
        await run(box, spec("infra"))
    found = [span for span in exporter.get_finished_spans() if span.name == "attempt"]
    assert [span.status.status_code for span in found] == [StatusCode.ERROR] * 4


async def test_what_is_no_traceparent_begins_a_trace(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with served(tmp_path / "box") as service, service.owner() as client:
        for given in ("", "nonsense", "00-0-0-01", "x" * 5000, "00-" + "0" * 32 + "-" + CALLER):
            answer = await client.get("/queue", headers={"traceparent": given})
            assert answer.status_code == 200
    spans = exporter.get_finished_spans()
    assert len({trace_of(span) for span in spans}) == len(spans) == 5
    assert not any(span.parent for span in spans)


async def test_one_that_is_not_sampled_is_not_traced(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with served(tmp_path / "box", work=True) as service, service.owner() as client:
        answer = await client.post(
            "/evaluations",
            json=BODY | {"engine": "fake"},
            headers={"traceparent": TRACEPARENT[:-2] + "00"},
        )
        await ended(service.box, answer.json()["id"])
    assert exporter.get_finished_spans() == ()


async def test_a_trace_makes_no_other_evaluation(
    tmp_path: Path, exporter: InMemorySpanExporter
) -> None:
    async with opened(settings_in(tmp_path / "box"), FakeEngine(), work=False) as box:
        made = []
        for _ in range(2):
            with traces.span("caller"):
                made += await box.submit([spec("true", idempotency_key="once")])
        assert made[0].id == made[1].id


async def test_untraced_nothing_is_carried_and_nothing_loaded(tmp_path: Path) -> None:
    async with opened(settings_in(tmp_path / "box"), FakeEngine(), work=False) as box:
        (evaluation,) = await box.submit([spec("true")])
        assert (await box.get(evaluation.id)).spec.trace == ""
    # The web framework looks for the interface by itself; what makes spans is the SDK.
    code = (
        "import sys, evalbox.service.local; print('opentelemetry' in sys.modules);"
        "import evalbox.api.app; print('opentelemetry.sdk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\nFalse\n"


async def test_an_endpoint_without_the_extra_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "evalbox.telemetry.spans", raising=False)
    settings = settings_in(tmp_path / "box", otlp_endpoint="http://127.0.0.1:4318")
    with pytest.raises(ConfigError, match="not installed"):
        await LocalBox.open(settings, work=True, engines=[FakeEngine()])


async def test_spans_reach_a_collector(tmp_path: Path) -> None:
    got: list[tuple[str, str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, self.headers["Content-Type"], content))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{collector.server_port}/"
        try:
            settings = settings_in(tmp_path / "box", otlp_endpoint=endpoint)
            async with opened(settings, FakeEngine()) as box:
                evaluation = await run(box, spec("true"))

                async def destroyed() -> bool:
                    return box.running_here == 0

                await until(destroyed)
        finally:
            collector.shutdown()
            thread.join()
    assert not traces.enabled()
    assert {(path, kind) for path, kind, _ in got} == {("/v1/traces", "application/x-protobuf")}
    sent = [
        span.name
        for _, _, content in got
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert {"queue", "attempt", "sandbox", "run", "verdict"} <= set(sent)
    assert evaluation.outcome is Outcome.OK


async def test_a_collector_that_is_away_holds_up_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "box", otlp_endpoint="http://127.0.0.1:9")
    async with opened(settings, FakeEngine()) as box:
        assert (await run(box, spec("true"))).outcome is Outcome.OK
    assert not traces.enabled()
