"""The rules of the domain, for every value that they may meet."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.ids import ALPHABET, LENGTH, IdFactory, is_reference, short
from evalbox.domain.limits import BOUNDS, Limits
from evalbox.domain.outcome import RETRYABLE, Outcome
from evalbox.domain.quantity import parse_duration, parse_size
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import ACTIVE, FINAL, State, check_transition, final_state, may_become
from evalbox.errors import InvalidInput, InvalidTransition


@given(st.lists(st.floats(min_value=0, max_value=4e9), min_size=2, max_size=200))
def test_ids_grow_whatever_the_clock_does(times: list[float]) -> None:
    factory = IdFactory()
    ids = [factory.new(now) for now in times]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(len(item) == LENGTH and set(item) <= set(ALPHABET) for item in ids)


@given(st.floats(min_value=0, max_value=4e9), st.integers(1, 8))
def test_every_beginning_of_an_id_is_a_reference(now: float, length: int) -> None:
    identifier = IdFactory().new(now)
    assert is_reference(identifier[:length])
    assert is_reference(short(identifier)[:length])


@pytest.mark.parametrize("text", ["", "A", "x" * 23, "iI", "a-b", "../x", "ü"])
def test_what_is_no_reference(text: str) -> None:
    assert not is_reference(text)


@given(st.sampled_from(State), st.sampled_from(State))
def test_check_agrees_with_may(old: State, new: State) -> None:
    if may_become(old, new):
        check_transition(old, new)
    else:
        with pytest.raises(InvalidTransition, match=str(new)):
            check_transition(old, new)


@given(st.sampled_from(State), st.data())
def test_every_state_can_come_to_an_end(start: State, data: st.DataObject) -> None:
    """From any state, any walk can be brought to a final state, and never runs out of moves."""
    state = start
    for _ in range(data.draw(st.integers(0, 10))):
        state = data.draw(st.sampled_from([new for new in State if may_become(state, new)]))
    if state in ACTIVE:
        assert all(may_become(state, end) for end in FINAL)
    if state in FINAL:
        assert [new for new in State if may_become(state, new)] == [State.QUEUED]


@given(st.sampled_from(Outcome))
def test_every_outcome_ends_legally_from_every_active_state(outcome: Outcome) -> None:
    assert final_state(outcome) in FINAL
    assert all(may_become(state, final_state(outcome)) for state in ACTIVE)


@given(
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.sampled_from(sorted(RETRYABLE | {Outcome.INFRA_ERROR})), max_size=80),
)
def test_retries_end(retries: int, infra_retries: int, outcomes: list[Outcome]) -> None:
    """However attempts end, there are at most as many as the two budgets allow."""
    policy = RetryPolicy(retries=retries, infra_retries=infra_retries)
    failures = infra_failures = attempts = 0
    for outcome in outcomes:
        attempts += 1
        failures += outcome is not Outcome.INFRA_ERROR
        infra_failures += outcome is Outcome.INFRA_ERROR
        if not policy.allows(outcome, failures=failures, infra_failures=infra_failures):
            break
    assert attempts <= retries + infra_retries + 1


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.CANCELLED, Outcome.TASK_ERROR])
def test_what_no_retry_helps(outcome: Outcome) -> None:
    assert not RetryPolicy(retries=9, infra_retries=9).allows(outcome, failures=0, infra_failures=0)


@given(
    st.floats(0, 1e6),
    st.floats(1, 100),
    st.floats(0, 1e6),
    st.integers(1, 100_000),
    st.floats(0, 1, exclude_max=True),
)
def test_waits_stay_within_half_and_whole(
    base: float, factor: float, cap: float, failure: int, chance: float
) -> None:
    policy = RetryPolicy(base=base, factor=factor, cap=cap)
    wait = policy.delay(failure, chance=chance)
    assert 0 <= wait <= cap
    assert wait >= policy.delay(failure, chance=0.0)
    assert policy.delay(failure + 1, chance=chance) >= wait


@given(st.sampled_from(sorted(BOUNDS)), st.floats() | st.integers())
def test_a_limit_is_taken_or_refused_by_name(name: str, value: float) -> None:
    low, high, _ = BOUNDS[name]
    if math.isfinite(value) and low <= value <= high:
        assert getattr(Limits(**{name: value}), name) == value  # type: ignore[arg-type]
    else:
        with pytest.raises(InvalidInput, match=name) as caught:
            Limits(**{name: value})  # type: ignore[arg-type]
        assert caught.value.field == name


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 1e308, True, "1", None])
@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_limits_that_are_none(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=name):
        Limits(**{name: value})  # type: ignore[arg-type]


@given(st.integers(0, 1 << 50), st.sampled_from(["", "k", "m", "g", "K", "MiB", "GB", "b"]))
def test_sizes(count: int, unit: str) -> None:
    factor = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[unit[:1].lower()]
    assert parse_size(f"{count}{unit}") == int(float(count) * factor)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_durations(hours: int, minutes: int, seconds: int) -> None:
    total = hours * 3600 + minutes * 60 + seconds
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == total
    assert parse_duration(str(total)) == total


@given(st.text(max_size=12))
def test_parsers_answer_every_text(text: str) -> None:
    """A value or a clear refusal, never another exception."""
    for parse in (parse_size, parse_duration):
        with suppress(InvalidInput):
            assert parse(text) >= 0
