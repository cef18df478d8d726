"""Webhooks over real HTTP: delivered, signed, tried again, and never to where they may not go."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from recovery_support import ended, settings_in, spec
from webhook_support import Receiver, eventually, receiver

from evalbox.domain.clock import ManualClock
from evalbox.domain.outcome import Outcome
from evalbox.domain.webhook import KEEP_TRYING, DeliveryState, Format, Interest, Topic, is_signed
from evalbox.engines.fake import FakeEngine
from evalbox.errors import Conflict, InvalidInput, WebhookNotFound
from evalbox.service.local import LocalBox
from evalbox.service.posting import Poster

DOCUMENT = Path(__file__).parents[2] / "docs" / "webhooks.md"
ENDINGS = Interest(topics=frozenset({Topic.EVALUATION}))
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def opened(
    directory: Path, *, work: bool = True, clock: ManualClock | None = None, **changes: Any
) -> AsyncIterator[LocalBox]:
    engine = FakeEngine()
    settings = settings_in(directory, **{"webhook_private": True, **changes})
    box = await LocalBox.open(settings, work=work, engines=[engine], clock=clock)
    try:
        yield box
    finally:
        await box.close(drain=0)
        await engine.close()


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[LocalBox]:
    async with opened(tmp_path / "box") as made:
        yield made


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


async def run(box: LocalBox, *command: str, **changes: Any) -> str:
    (made,) = await box.submit([spec(*command, **changes)])
    await ended(box, made.id)
    return made.id


async def state_of(box: LocalBox, webhook: str) -> list[DeliveryState]:
    return [one.state for one in await box.webhooks.deliveries(webhook)]


async def all_settled(box: LocalBox, webhook: str) -> bool:
    states = await state_of(box, webhook)
    return bool(states) and DeliveryState.PENDING not in states


def documented_check() -> Any:
    """The snippet for receivers, as the documentation has it."""
    (snippet,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(snippet, str(DOCUMENT), "exec"), names)
    return names["is_from_the_box"]


async def test_an_ending_is_told_and_signed(box: LocalBox, there: Receiver) -> None:
    webhook, secret = await box.webhooks.create(there.url("/a?b=c"), interest=ENDINGS)
    evaluation = await run(box, "exit", "3", env={"TOKEN": "hush-hush"}, labels={"team": "x"})
    await eventually(lambda: all_settled(box, webhook.id))
    (got,) = there.received
    assert got.path == "/a?b=c"
    assert got.headers["host"] == f"127.0.0.1:{there.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["evalbox-event"] == got.message["kind"] == "evaluation.failed"
    assert got.message["evaluation"]["id"] == evaluation
    assert got.message["evaluation"]["exit_code"] == 3
    assert got.message["event"]["data"]["outcome"] == "failed"
    assert b"hush-hush" not in got.body
    signature = got.headers["evalbox-signature"]
    check = documented_check()
    assert check(secret, signature, got.body)
    assert not check(secret, signature, got.body + b" ")
    assert not check("another secret", signature, got.body)
    (delivery,) = await box.webhooks.deliveries(webhook.id)
    assert (delivery.id, delivery.state, delivery.status, delivery.attempts) == (
        got.delivery, DeliveryState.DELIVERED, 204, 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("signature", "good"),
    [("t=1,v1=00", False), ("", False), ("v1=", False), ("t=x,v1=0", False), ("t=²,v1=0", False)],
)
def test_what_is_no_signature_is_refused(signature: str, good: bool) -> None:
    assert is_signed("secret", signature, b"", 1.0) is good


async def test_only_what_was_asked_for_is_told(box: LocalBox, there: Receiver) -> None:
    await box.webhooks.create(
        there.url("/failed"),
        interest=Interest(frozenset({Topic.EVALUATION}), outcomes=frozenset({Outcome.FAILED})),
    )
    await box.webhooks.create(
        there.url("/batch"),
        interest=Interest(frozenset({Topic.EVALUATION, Topic.BATCH}), batch="b"),
    )
    await box.webhooks.create(
        there.url("/label"),
        interest=Interest(frozenset({Topic.EVALUATION}), labels={"team": "x"}),
    )
    last, _ = await box.webhooks.create(there.url("/all"), interest=ENDINGS)
    await run(box, "true")
    await run(box, "false")
    await run(box, "true", batch="b", labels={"team": "x"})
    await run(box, "true", batch="c", labels={"team": "y"})
    await eventually(lambda: len(there.received) == 4 + 1 + 2 + 1)
    assert len(await box.webhooks.deliveries(last.id)) == 4
    told = sorted((one.path, one.message["kind"]) for one in there.received)
    assert told == sorted(
        [("/all", "evaluation.completed")] * 3
        + [("/all", "evaluation.failed"), ("/failed", "evaluation.failed")]
        + [("/batch", "evaluation.completed"), ("/batch", "batch.finished")]
        + [("/label", "evaluation.completed")]
    )


async def test_a_batch_has_finished_once_when_its_last_has(box: LocalBox, there: Receiver) -> None:
    await box.webhooks.create(there.url(), interest=Interest(frozenset({Topic.BATCH})))
    made = await box.submit([spec("true", batch="b") for _ in range(20)])
    late = await box.submit([spec("sleep", "inf", batch="b")])
    for one in made:
        await ended(box, one.id)
    assert not there.received
    await box.cancel([late[0].id])
    await eventually(lambda: bool(there.received))
    kinds = [event.kind async for event in box.events()]
    assert kinds.count("batch.finished") == 1
    assert there.received[0].message["batch"]["total"] == 21


async def test_what_fails_is_tried_again_later_and_later(tmp_path: Path) -> None:
    clock = ManualClock()
    answers = receiver(statuses=[500, 302, 404], location="http://127.0.0.1:1/")
    async with answers as there, opened(tmp_path / "box", clock=clock) as box:
        webhook, secret = await box.webhooks.create(there.url(), interest=ENDINGS)
        await run(box, "true")
        waits = []
        for tries in (1, 2, 3):
            await eventually(lambda tries=tries: len(there.received) == tries)  # type: ignore[misc]

            async def settled(tries: int = tries) -> bool:
                return (await box.webhooks.deliveries(webhook.id))[0].attempts == tries

            await eventually(settled)
            (delivery,) = await box.webhooks.deliveries(webhook.id)
            assert delivery.next_try is not None
            waits.append(delivery.next_try - clock.now())
            clock.advance(waits[-1])
        await eventually(lambda: all_settled(box, webhook.id))
        (delivery,) = await box.webhooks.deliveries(webhook.id)
    assert delivery.state is DeliveryState.DELIVERED
    assert delivery.attempts == 4
    for wait, whole in zip(waits, (5, 10, 20), strict=True):
        assert whole / 2 <= wait <= whole
    assert len({one.delivery for one in there.received}) == 1
    # The same body, signed anew each time.
    assert len({one.body for one in there.received}) == 1
    last = there.received[-1]
    assert is_signed(secret, last.headers["evalbox-signature"], last.body, clock.now())


async def test_after_a_day_it_is_dead_and_can_be_sent_again(tmp_path: Path) -> None:
    clock = ManualClock()
    async with receiver(status=503) as there, opened(tmp_path / "box", clock=clock) as box:
        webhook, _ = await box.webhooks.create(there.url(), interest=ENDINGS)
        await run(box, "true")
        await eventually(lambda: len(there.received) == 1)
        clock.advance(KEEP_TRYING)
        await eventually(lambda: all_settled(box, webhook.id))
        (delivery,) = await box.webhooks.deliveries(webhook.id, states=[DeliveryState.DEAD])
        assert (delivery.status, delivery.error) == (503, "answered 503")
        there.status = 200
        await box.webhooks.redeliver(webhook.id, delivery.id)
        await eventually(lambda: all_settled(box, webhook.id))
        assert await state_of(box, webhook.id) == [DeliveryState.DELIVERED]
        with pytest.raises(WebhookNotFound, match="no delivery"):
            await box.webhooks.redeliver(webhook.id, "0" * 22)


async def test_410_turns_it_off(box: LocalBox) -> None:
    async with receiver(status=410) as there:
        webhook, _ = await box.webhooks.create(there.url(), interest=ENDINGS)
        await run(box, "true")
        await eventually(lambda: all_settled(box, webhook.id))

        async def is_off() -> bool:
            return not (await box.webhooks.get(webhook.id)).active

        await eventually(is_off)
        assert "410" in (await box.webhooks.get(webhook.id)).reason
        with pytest.raises(InvalidInput, match="turned off"):
            await box.webhooks.test(webhook.id)
        await run(box, "true")
        there.status = 200
        changed = await box.webhooks.change(webhook.id, active=True)
        assert (changed.active, changed.reason) == (True, "")
        await run(box, "false")
        await eventually(lambda: len(there.received) == 2)
        # What happened meanwhile is not told.
        assert there.kinds == ["evaluation.completed", "evaluation.failed"]


async def test_a_slow_receiver_delays_no_other(box: LocalBox, there: Receiver) -> None:
    async with receiver(hold=asyncio.Event()) as slow:
        await box.webhooks.create(slow.url(), interest=ENDINGS)
        quick, _ = await box.webhooks.create(there.url(), interest=ENDINGS)
        made = await box.submit([spec("true") for _ in range(12)])
        for one in made:
            await ended(box, one.id)
        await eventually(lambda: len(there.received) == 12, within=8)
        assert len(slow.received) == 4
        assert set(await state_of(box, quick.id)) <= {*DeliveryState}


async def test_nothing_is_lost_over_a_restart(tmp_path: Path) -> None:
    """The receiver is away, the box ends at once in the middle, others end while none works."""
    directory = tmp_path / "box"
    async with receiver() as gone:
        port = gone.port
    clock = ManualClock()
    async with opened(directory, clock=clock) as box:
        webhook, _ = await box.webhooks.create(f"http://127.0.0.1:{port}/", interest=ENDINGS)
        await run(box, "true")

        async def tried() -> bool:
            found = await box.webhooks.deliveries(webhook.id)
            return bool(found) and found[0].attempts == 1

        await eventually(tried)
        made = await box.submit([spec("false") for _ in range(5)])
        for one in made:
            await ended(box, one.id)
    async with opened(directory, work=False, clock=clock) as box:
        (waiting,) = await box.submit([spec("true")])
        await box.cancel([waiting.id])
    # Longer than the wait after however many tries there were.
    clock.advance(3600)
    async with receiver(port=port) as there, opened(directory, clock=clock):
        await eventually(lambda: len(there.received) == 7)
        seqs = [one.message["event"]["seq"] for one in there.received]
        assert len(set(seqs)) == 7
        assert there.kinds.count("evaluation.cancelled") == 1


async def test_an_orderly_end_still_tells_what_has_just_happened(tmp_path: Path) -> None:
    engine = FakeEngine()
    settings = settings_in(tmp_path / "box", webhook_private=True)
    async with receiver() as there:
        box = await LocalBox.open(settings, work=True, engines=[engine])
        await box.webhooks.create(there.url(), interest=ENDINGS)
        await run(box, "true")
        await box.close()
        assert there.kinds == ["evaluation.completed"]
    await engine.close()


async def test_a_test_is_sent_at_once(box: LocalBox, there: Receiver) -> None:
    webhook, _ = await box.webhooks.create(there.url())
    delivery = await box.webhooks.test(webhook.id)
    await eventually(lambda: there.kinds == ["webhook.test"])
    assert there.received[0].delivery == delivery.id


async def test_of_an_answer_little_is_read(box: LocalBox) -> None:
    async with receiver(extra=b"x" * (64 << 20)) as there:
        webhook, _ = await box.webhooks.create(there.url(), interest=ENDINGS)
        await run(box, "true")
        await eventually(lambda: all_settled(box, webhook.id))
        assert await state_of(box, webhook.id) == [DeliveryState.DELIVERED]


async def test_a_receiver_that_says_nothing_is_given_up_in_time() -> None:
    async with receiver(hold=asyncio.Event()) as there:
        poster = Poster(private=True, timeout=0.2)
        answer = await poster.post(there.url(), b"{}", {})
        await poster.close()
    assert (answer.status, answer.error) == (None, "no answer within 0.2 s")


PRIVATE = [
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/",
    "http://0177.0.0.1/", "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/",
    "http://[::]/", "http://0.0.0.0/", "http://10.0.0.1/", "http://172.16.0.1/",
    "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/",
    "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://168.63.129.16/",
    "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://224.0.0.1/",
    "http://255.255.255.255/", "http://192.0.2.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
async def test_no_way_into_the_own_network(url: str) -> None:
    poster = Poster(private=False, timeout=5)
    answer = await poster.post(url, b"{}", {})
    await poster.close()
    assert answer.status is None
    assert "not an address of the public internet" in answer.error, answer.error


async def test_a_name_that_changes_its_mind_gains_nothing(
    there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its first answer is of the whole world, and only that one is connected to."""
    asked: list[str] = []
    connected: list[str] = []
    loop = asyncio.get_running_loop()
    resolve, connect = loop.getaddrinfo, loop.create_connection

    async def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
        if host != "rebind.example":
            return await resolve(host, port, **options)
        asked.append(host)
        address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(2, 1, 6, "", (address, port))]

    async def create_connection(
        factory: Any, host: Any = None, port: Any = None, **rest: Any
    ) -> Any:
        connected.append(str(host))
        raise ConnectionRefusedError("nobody is called here")

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(loop, "create_connection", create_connection)
    poster = Poster(private=False, timeout=5)
    answer = await poster.post(f"http://rebind.example:{there.port}/", b"{}", {})
    await poster.close()
    monkeypatch.setattr(loop, "create_connection", connect)
    assert answer.status is None
    assert asked == ["rebind.example"]
    assert set(connected) == {"93.184.216.34"}
    assert not there.received


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.com/", "cannot be the URL"),
        ("file:///etc/passwd", "cannot be the URL"),
        ("http://", "cannot be the URL"),
        ("http://user:password@example.com/", "cannot be the URL"),
        ("http://example.com:99999/", "cannot be the URL"),
        ("http://example.com:0/", "cannot be the URL"),
        ("http://exa mple.com/", "cannot be the URL"),
        ("http://example.com/\r\nX: y", "cannot be the URL"),
        ("http://[::1", "cannot be the URL"),
        ("", "cannot be the URL"),
        ("http://example.com/" + "x" * 3000, "cannot be the URL"),
        ("http://169.254.169.254/", "not an address of the public internet"),
        ("http://[::ffff:10.0.0.1]/", "not an address of the public internet"),
    ],
)
async def test_bad_urls_are_refused_at_once(tmp_path: Path, url: str, message: str) -> None:
    async with opened(tmp_path / "box", work=False, webhook_private=False) as box:
        with pytest.raises(InvalidInput, match=message) as refused:
            await box.webhooks.create(url)
        assert "password" not in refused.value.message
        entry = (await box.audit.list())[-1]
        assert (entry.action, entry.result) == ("webhook.create", "invalid_input")


async def test_bad_secrets_and_too_many(tmp_path: Path) -> None:
    async with opened(tmp_path / "box", work=False) as box:
        with pytest.raises(InvalidInput, match="secret"):
            await box.webhooks.create("http://127.0.0.1/", secret="short")
        with pytest.raises(InvalidInput, match="routing key"):
            await box.webhooks.create("http://127.0.0.1/", format=Format.PAGERDUTY, secret="x" * 31)
        with pytest.raises(InvalidInput, match="topic"):
            Interest(topics=frozenset())
        for _ in range(50):
            await box.webhooks.create("http://127.0.0.1/")
        with pytest.raises(Conflict, match="50 webhooks"):
            await box.webhooks.create("http://127.0.0.1/")
        with pytest.raises(WebhookNotFound):
            await box.webhooks.remove("no-such-hook")


async def test_secrets_are_nowhere_in_the_clear(tmp_path: Path, there: Receiver) -> None:
    directory = tmp_path / "box"
    async with opened(directory) as box:
        webhook, made = await box.webhooks.create(there.url())
        await box.webhooks.create(there.url(), format=Format.PAGERDUTY, secret=ROUTING_KEY)
        await run(box, "true")
        await eventually(lambda: len(there.received) == 2)
        assert made not in repr(webhook)
    for path in directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert made.encode() not in content, path
            assert ROUTING_KEY.encode() not in content, path


async def test_pagerduty_gets_its_own_format(box: LocalBox, there: Receiver) -> None:
    webhook, _ = await box.webhooks.create(
        there.url("/v2/enqueue"), format=Format.PAGERDUTY, secret=ROUTING_KEY
    )
    failed = await run(box, "exit", "9")
    await run(box, "true", batch="b")
    await box.webhooks.test(webhook.id)
    await eventually(lambda: len(there.received) == 4)
    for one in there.received:
        check_pagerduty(one.message)
        assert "evalbox-signature" not in one.headers
    (trigger,) = [one.message for one in there.received if failed in one.message["dedup_key"]]
    assert trigger["event_action"] == "trigger"
    assert trigger["payload"]["custom_details"]["exit_code"] == 9
    there.status = 400
    await box.webhooks.test(webhook.id)

    async def is_dead() -> bool:
        return DeliveryState.DEAD in await state_of(box, webhook.id)

    await eventually(is_dead)


def check_pagerduty(event: dict[str, Any]) -> None:
    """As https://developer.pagerduty.com/docs/send-alert-event documents it."""
    known = {"routing_key", "event_action", "dedup_key", "payload", "client", "client_url"}
    assert set(event) <= known | {"links", "images"}
    assert re.fullmatch("[0-9A-Za-z]{32}", event["routing_key"])
    assert event["event_action"] in ("trigger", "acknowledge", "resolve")
    assert 0 < len(event["dedup_key"]) <= 255
    payload = event["payload"]
    assert set(payload) <= {
        "summary", "source", "severity", "timestamp", "component", "group", "class",
        "custom_details",
    }  # fmt: skip
    assert 0 < len(payload["summary"]) <= 1024
    assert payload["source"]
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", payload["timestamp"])
    assert isinstance(payload["custom_details"], dict)
