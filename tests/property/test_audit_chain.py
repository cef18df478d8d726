from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalbox.domain.audit import GENESIS, AuditEntry, AuditReport, Chain, canonical, entry_hash
from evalbox.wire import access

values = st.none() | st.booleans() | st.integers(-(1 << 60), 1 << 60) | st.text(max_size=8)
details = st.dictionaries(st.text(max_size=6), values | st.lists(values, max_size=3), max_size=3)
drafts = st.builds(
    AuditEntry,
    seq=st.just(0),
    at=st.floats(0, 1e10),
    actor=st.text(max_size=8),
    source=st.text(max_size=8),
    action=st.text(max_size=8),
    target=st.text(max_size=8),
    result=st.text(max_size=8),
    request_id=st.none() | st.text(max_size=8),
    detail=details,
)


def linked(entries: Sequence[AuditEntry]) -> list[AuditEntry]:
    chain: list[AuditEntry] = []
    for seq, draft in enumerate(entries, start=1):
        entry = replace(draft, seq=seq, previous=chain[-1].hash if chain else GENESIS)
        chain.append(replace(entry, hash=entry_hash(entry)))
    return chain


def look(entries: Sequence[AuditEntry], given: int, expect: str | None = None) -> AuditReport:
    chain = Chain(expect)
    # In pages of two, as the store gives them in pages of many.
    for start in range(0, len(entries), 2):
        chain.follow(entries[start : start + 2])
    return chain.report(given)


logs = st.lists(drafts, min_size=1, max_size=6).map(linked)
#: A busy machine is no reason to fail.
unhurried = settings(deadline=None)
FIELDS = [field.name for field in fields(AuditEntry)]


@unhurried
@given(logs, st.data())
def test_a_log_as_it_was_written_is_sound(log: list[AuditEntry], data: st.DataObject) -> None:
    report = look(log, len(log), data.draw(st.sampled_from([None, *(one.hash for one in log)])))
    assert report == AuditReport(len(log), log[-1].hash)
    assert report.sound
    assert [access.entry_from(access.entry(one)) for one in log] == log


@unhurried
@given(logs, drafts, st.sampled_from(FIELDS), st.data())
def test_any_changed_field_shows(
    log: list[AuditEntry], other: AuditEntry, field: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(log) - 1))
    value: Any = {"seq": at + 2, "previous": "1" * 64, "hash": "2" * 64}.get(
        field, getattr(other, field)
    )
    changed = replace(log[at], **{field: value})
    assume(canonical(_plain(changed)) != canonical(_plain(log[at])))
    report = look([*log[:at], changed, *log[at + 1 :]], len(log))
    assert report.broken_at == at + 1
    assert report.entries == at


@unhurried
@given(logs, st.data())
def test_a_missing_entry_shows(log: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(log) - 1))
    report = look([*log[:at], *log[at + 1 :]], len(log))
    assert report.broken_at == at + 1


@unhurried
@given(logs, st.data())
def test_a_log_cut_at_its_end_shows(log: list[AuditEntry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(log) - 1))
    assert look(log[:at], len(log)).broken_at == at + 1
    # Also where the count was changed to fit, if the head is known from elsewhere.
    assert look(log[:at], at).sound
    assert not look(log[:at], at, expect=log[-1].hash).sound


@unhurried
@given(logs, st.data())
def test_entries_that_changed_places_show(log: list[AuditEntry], data: st.DataObject) -> None:
    assume(len(log) > 1)
    at = data.draw(st.integers(0, len(log) - 2))
    swapped = [*log[:at], log[at + 1], log[at], *log[at + 2 :]]
    assert look(swapped, len(log)).broken_at == at + 1
    renumbered = [replace(one, seq=seq) for seq, one in enumerate(swapped, start=1)]
    assert look(renumbered, len(log)).broken_at == at + 1


@unhurried
@given(logs, drafts, st.data())
def test_an_inserted_entry_shows(
    log: list[AuditEntry], draft: AuditEntry, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(log) - 1))
    before = log[at - 1].hash if at else GENESIS
    forged = replace(draft, seq=at + 1, previous=before)
    forged = replace(forged, hash=entry_hash(forged))
    assume(forged.hash != log[at].hash)
    moved = [replace(one, seq=one.seq + 1) for one in log[at:]]
    assert look([*log[:at], forged, *moved], len(log) + 1).broken_at == at + 2


@unhurried
@given(logs, drafts)
def test_a_log_written_anew_shows_to_who_knows_a_head(
    log: list[AuditEntry], other: AuditEntry
) -> None:
    forged = linked([other, *log[1:]])
    assume(forged[0].hash != log[0].hash)
    assert look(forged, len(forged)).sound
    assert not look(forged, len(forged), expect=log[-1].hash).sound


def _plain(entry: AuditEntry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in FIELDS}
