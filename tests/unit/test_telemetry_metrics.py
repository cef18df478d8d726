"""Instruments, and the text that is made of them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from evalbox.telemetry.exposition import expose
from evalbox.telemetry.metrics import Counter, Gauge, Histogram, Instrument, gauge, totals


def read(*instruments: Instrument) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text, _ = expose([instrument.read() for instrument in instruments])
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.startswith("evalbox_process_")
    }


def test_a_histogram_counts_up_to_and_with_its_bounds() -> None:
    histogram = Histogram("x_seconds", "X.", bounds=(1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 99.0):
        histogram.observe(value)
    assert read(histogram) == {
        ("evalbox_x_seconds_bucket", (("le", "1.0"),)): 2,
        ("evalbox_x_seconds_bucket", (("le", "2.0"),)): 4,
        ("evalbox_x_seconds_bucket", (("le", "+Inf"),)): 5,
        ("evalbox_x_seconds_count", ()): 5,
        ("evalbox_x_seconds_sum", ()): 104,
    }


def test_what_has_no_labels_is_there_as_none() -> None:
    assert read(Counter("x", "X."), Gauge("y", "Y.")) == {
        ("evalbox_x_total", ()): 0,
        ("evalbox_y", ()): 0,
    }
    assert read(Histogram("x_seconds", "X.", bounds=()))[("evalbox_x_seconds_count", ())] == 0


def test_a_gauge_falls_and_a_counter_grows() -> None:
    counter, level = Counter("x", "X.", ("a",)), Gauge("y", "Y.", ("a",))
    for amount in (1, 2):
        counter.add(amount, "b")
    for amount in (2, -1):
        level.add(amount, "b")
    values = read(counter, level)
    assert values[("evalbox_x_total", (("a", "b"),))] == 3
    assert values[("evalbox_y", (("a", "b"),))] == 1


@pytest.mark.parametrize("value", ['quo"te', "back\\slash", "new\nline", "ünïcode", ""])
def test_values_of_labels_come_as_they_are(value: str) -> None:
    counter = Counter("x", "X.", ("a",))
    counter.add(1, value)
    assert read(counter) == {("evalbox_x_total", (("a", value),)): 1}


def test_a_reading_stays_as_it_was() -> None:
    counter, histogram = Counter("x", "X."), Histogram("x_seconds", "X.")
    before = counter.read(), histogram.read()
    counter.add(1)
    histogram.observe(1)
    assert before[0].values == {(): 0}
    assert before[1].values[()].sum == 0


def test_two_boxes_of_one_process_have_figures_of_their_own() -> None:
    first, _ = expose([gauge("x", "X.", 1)])
    second, _ = expose([gauge("x", "X.", 2), totals("y", "Y.", "a", {"b": 1})])
    assert b"evalbox_x 1.0" in first
    assert b"evalbox_x 2.0" in second
    assert b"python_info" not in second
