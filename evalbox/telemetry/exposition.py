"""Metrics in the text formats of Prometheus and OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from evalbox.telemetry.metrics import Distributed, Distribution, Family, Reading

PREFIX = "evalbox_"


def expose(readings: Iterable[Reading], accept: str = "") -> tuple[bytes, str]:
    """The text and its media type, in the format that ``accept`` prefers."""
    # One of our own for each time: what libraries put into the process's is none of our figures.
    registry = CollectorRegistry()
    registry.register(_Given(tuple(readings)))
    ProcessCollector(namespace=PREFIX.rstrip("_"), registry=registry)
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Given(Collector):
    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        for reading in self._readings:
            yield _metric(reading)


def _metric(reading: Reading) -> Metric:
    if isinstance(reading, Distributed):
        return _histogram(reading)
    return _plain(reading)


def _plain(family: Family) -> Metric:
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(PREFIX + family.name, family.text, labels=family.labels)
    for labels, value in family.values.items():
        metric.add_metric(labels, value)
    return metric


def _histogram(reading: Distributed) -> Metric:
    metric = HistogramMetricFamily(PREFIX + reading.name, reading.text, labels=reading.labels)
    for labels, distribution in reading.values.items():
        metric.add_metric(labels, _buckets(distribution), distribution.sum)
    return metric


def _buckets(distribution: Distribution) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in distribution.bounds), "+Inf"]
    return list(zip(bounds, distribution.counts, strict=True))
