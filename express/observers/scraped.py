"""The text of /metrics in, a workflow's figures by state out: for tools that look at a process from outside."""

from __future__ import annotations

from collections import defaultdict
from math import inf

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from express.errors import ConfigurationError


class StateFigures(msgspec.Struct):
    """``p50`` and ``p99`` are seconds, upper bounds of their buckets' interpolation; None without observations."""

    entered: int = 0
    failures: int = 0
    retries: int = 0
    p50: float | None = None
    p99: float | None = None


def figures(text: str, workflow: str, source: str) -> dict[str, StateFigures]:
    """By the state's name; ConfigurationError when there is nothing of this workflow. ``source`` is where the text came from."""
    found: dict[str, StateFigures] = defaultdict(StateFigures)
    buckets: dict[str, dict[float, float]] = defaultdict(dict)
    others: set[str] = set()
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = sample.labels
                if "workflow" in labels:
                    others.add(labels["workflow"])
                if labels.get("workflow") != workflow or "state" not in labels:
                    continue
                state = labels["state"]
                match sample.name:
                    case "express_state_entered_total":
                        found[state].entered += int(sample.value)
                    case "express_state_failures_total":
                        found[state].failures += int(sample.value)
                    case "express_state_retries_total":
                        found[state].retries += int(sample.value)
                    case "express_state_seconds_bucket":
                        bound = float(labels["le"])
                        buckets[state][bound] = buckets[state].get(bound, 0) + sample.value
    except (ValueError, KeyError) as error:
        raise ConfigurationError(f"{source}: expected Prometheus' text format: {error}") from None
    if not found:
        there = f"there are metrics of {', '.join(sorted(others))}" if others else "there are no metrics of Express in it"
        raise ConfigurationError(f"{source}: no states of a workflow {workflow!r}: {there}")
    for state, own in buckets.items():
        found[state].p50, found[state].p99 = quantile(own, 0.5), quantile(own, 0.99)
    return dict(found)


def quantile(buckets: dict[float, float], fraction: float) -> float | None:
    """Where a fraction of the observations lies, interpolated within its bucket; ``buckets`` count everything up to their bound."""
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if not total:
        return None
    rank, low, before = fraction * total, 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= rank:
            return low if bound == inf else low + (bound - low) * (rank - before) / max(count - before, 1e-9)
        low, before = bound, count
    return low
