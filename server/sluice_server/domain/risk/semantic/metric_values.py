"""A metric's value over sums of measures, with what it rests on and where the true value lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice_server.domain.money import Money
from sluice_server.domain.risk.intervals import Interval, binomial_share, compound_poisson, gamma_mean, poisson_rate
from sluice_server.domain.risk.ports import Number
from sluice_server.domain.risk.semantic.over_time import changed, changed_interval
from sluice_server.domain.risk.semantic.semantic_model import Change, IntervalMethod, Metric


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A value with what it rests on. ``value`` is None where there is none, such as a ratio over nothing."""

    value: float | None
    amount: Money | None
    numerator: float | None
    denominator: float | None
    exposure: float
    interval: Interval | None


def metric_value(
    metric: Metric,
    sums: Mapping[str, Number],
    exposure: float,
    squared_variation: float,
    level: float,
    currency_code: str,
) -> MetricValue:
    """The metric over sums of measures (by name), with its interval."""
    if metric.numerator is None or metric.denominator is None:
        value = sums[metric.name]
        amount = Money(int(value), currency_code) if metric.unit == "minor" else None
        return MetricValue(float(value), amount, None, None, exposure, None)
    numerator, denominator = sums[metric.numerator], sums[metric.denominator]
    ratio = numerator / denominator if denominator else None
    interval = None if ratio is None else _interval(metric, sums, ratio, squared_variation, level)
    return MetricValue(ratio, None, float(numerator), float(denominator), exposure, interval)


def _interval(
    metric: Metric, sums: Mapping[str, Number], ratio: float, squared_variation: float, level: float
) -> Interval | None:
    rule = metric.interval
    if rule is None or metric.numerator is None or metric.denominator is None:
        return None
    numerator, denominator = sums[metric.numerator], sums[metric.denominator]
    count = int(sums[rule.count]) if rule.count is not None else 0
    match rule.method:
        case IntervalMethod.EXACT_POISSON:
            return poisson_rate(numerator, denominator, level)
        case IntervalMethod.EXACT_BINOMIAL:
            return binomial_share(int(numerator), int(denominator), level)
        case IntervalMethod.COMPOUND_POISSON:
            return compound_poisson(numerator, denominator, count, squared_variation, level)
        case IntervalMethod.GAMMA_MEAN:
            return gamma_mean(ratio, count, squared_variation, level)
        case _:
            return None  # Needs the whole portfolio: ratings have it, single rows do not.


def change_value(
    change: Change,
    now: MetricValue,
    before: MetricValue | None,
    *,
    of_money: bool,
) -> MetricValue:
    """The change of a metric from an earlier period; ``before`` None where the data do not go back so far.

    ``of_money``: the change is itself an amount, as the difference of amounts is.
    """
    if before is None:
        return MetricValue(None, None, now.value, None, now.exposure, None)
    interval = amount = None
    if now.value is not None and before.value is not None and now.interval is not None and before.interval is not None:
        interval = changed_interval(now.value, now.interval, before.value, before.interval, change)
    if of_money and now.amount is not None and before.amount is not None:
        amount = Money(now.amount.amount_minor - before.amount.amount_minor, now.amount.currency_code)
    value = changed(now.value, before.value, change)
    return MetricValue(value, amount, now.value, before.value, now.exposure, interval)
