"""Reducers against what they stand for, counted out."""

from __future__ import annotations

import itertools
import math
import statistics
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.reducers import Reducer, clustered_error, mean, pass_all, pass_at

_FINITE = st.floats(-1e6, 1e6)


@st.composite
def _attempts(draw: st.DrawFn) -> tuple[int, list[bool]]:
    verdicts = draw(st.lists(st.booleans(), min_size=1, max_size=9))
    return draw(st.integers(1, len(verdicts))), verdicts


@given(_attempts())
def test_pass_at_k_and_pass_all_k_are_the_shares_of_all_draws(
    drawn: tuple[int, list[bool]],
) -> None:
    k, verdicts = drawn
    draws = list(itertools.combinations(verdicts, k))
    passed, total = sum(verdicts), len(verdicts)
    assert pass_at(k, passed, total) == pytest.approx(sum(map(any, draws)) / len(draws))
    assert pass_all(k, passed, total) == pytest.approx(sum(map(all, draws)) / len(draws))


@given(_attempts())
def test_of_one_both_are_the_pass_rate_and_more_tries_help_one_and_hurt_the_other(
    drawn: tuple[int, list[bool]],
) -> None:
    k, verdicts = drawn
    passed, total = sum(verdicts), len(verdicts)
    rate = pytest.approx(passed / total)
    assert pass_at(1, passed, total) == rate
    assert pass_all(1, passed, total) == rate
    any_of, all_of = pass_at(k, passed, total), pass_all(k, passed, total)
    assert any_of is not None
    assert all_of is not None
    assert all_of <= passed / total + 1e-12
    assert any_of >= passed / total - 1e-12


@pytest.mark.parametrize("k", [0, -1, 6])
def test_of_more_than_there_are_nothing_is_known(k: int) -> None:
    assert pass_at(k, 2, 5) is None
    assert pass_all(k, 2, 5) is None


@given(st.lists(_FINITE, min_size=2, max_size=30))
def test_clusters_of_one_give_the_standard_error_of_the_mean(values: list[float]) -> None:
    usual = statistics.stdev(values) / math.sqrt(len(values))
    found = clustered_error({number: [value] for number, value in enumerate(values)})
    assert found == pytest.approx(usual, rel=1e-6, abs=1e-6)


@given(st.lists(st.lists(_FINITE, max_size=5), min_size=2, max_size=6))
def test_a_clustered_error_is_the_double_sum_it_stands_for(groups: list[list[float]]) -> None:
    held = [group for group in groups if group]
    found = clustered_error(dict(enumerate(groups)))
    if len(held) < 2:
        assert found is None
        return
    # Exactly: what the products cancel is many times what is left of them.
    exact = [[Fraction(value) for value in group] for group in held]
    values = [value for group in exact for value in group]
    middle = sum(values) / len(values)
    covariance = sum(
        (one - middle) * (other - middle) for group in exact for one in group for other in group
    )
    expected = covariance * len(held) / (len(held) - 1) / len(values) ** 2
    greatest = max(map(abs, values))
    assert found == pytest.approx(math.sqrt(expected), rel=1e-6, abs=1e-9 * float(greatest))


@given(st.lists(_FINITE, min_size=2, max_size=8), st.integers(2, 6))
def test_epochs_that_all_agree_make_nothing_more_certain(values: list[float], epochs: int) -> None:
    once = clustered_error({number: [value] for number, value in enumerate(values)})
    often = clustered_error({number: [value] * epochs for number, value in enumerate(values)})
    assert often == pytest.approx(once, rel=1e-6, abs=1e-6)


@given(st.lists(_FINITE, min_size=1, max_size=9))
def test_the_reducers(values: list[float]) -> None:
    assert Reducer.MEAN.reduce(values) == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert Reducer.MAX.reduce(values) == max(values)
    assert Reducer.MEDIAN.reduce(values) == statistics.median(values)
    assert {one.reduce([]) for one in Reducer} == {None}


def test_the_largest_numbers_have_a_mean() -> None:
    largest = 1.7e308
    assert mean([largest, largest]) == largest
    assert clustered_error({"a": [largest], "b": [-largest]}) is not None
