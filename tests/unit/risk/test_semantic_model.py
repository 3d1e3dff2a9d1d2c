"""The semantic model's file: what ships is sound, and mistakes are found with their line."""

from __future__ import annotations

from importlib.resources import files

import pytest

from sluice_server.domain.risk.semantic.model_yaml import InvalidSemanticModel, load_model, shipped_model

TEXT = files("sluice_server.domain.risk.semantic").joinpath("model.yaml").read_text("utf-8")


def mistakes(text: str) -> list[str]:
    with pytest.raises(InvalidSemanticModel) as refused:
        load_model(text)
    return [violation.field for violation in refused.value.violations]


def line_of(fragment: str, text: str = TEXT) -> int:
    return text[: text.index(fragment)].count("\n") + 1


def test_everything_in_the_shipped_model_can_be_asked() -> None:
    model = shipped_model()
    assert all(model.dimensions_of(metric) for metric in model.metrics.values())
    assert all(model.metrics_of(dimension) for dimension in model.dimensions.values())
    assert set(model.rated) == {"channel", "store", "device_model", "product", "insurer"}
    assert set(model.screened) == {"store", "repair_shop"}


def test_the_hash_follows_the_content() -> None:
    assert load_model(TEXT).content_hash == shipped_model().content_hash
    assert load_model(TEXT.replace("currency: CNY", "currency: EUR")).content_hash != shipped_model().content_hash


@pytest.mark.parametrize(
    ("good", "bad", "path"),
    [
        ("currency: CNY", "currency: yuan", "currency"),
        ("currency: CNY", "curency: CNY", "curency"),
        ("unit: years", "unt: years", "metrics.exposure_years.unt"),
        ("numerator: failed", "numerator: fial", "metrics.failure_rate.numerator"),
        ("direction: higher_is_better", "direction: up", "metrics.insured_rate.direction"),
        ("keys: {channel: channel_id}", "keys: {chanel: channel_id}", "tables.channel_month.keys.chanel"),
        ("exposure: orders", "exposure: sales", "tables.insurer_product_day.exposure"),
        ("count: claims, amount", "count: claim, amount", "metrics.severity.interval.count"),
        ("type: quarter", "type: fortnight", "dimensions.quarter.type"),
        ("fact: orders", "fact: ordres", "tables.insurer_product_day.fact"),
        ("of: loss_ratio\n", "of: los_ratio\n", "metrics.loss_ratio_12m.of"),
        ("of: earned_premium\n", "of: policies\n", "metrics.earned_premium_ytd.of"),
        ("window: {periods: 12", "window: {periods: 0", "metrics.loss_ratio_12m.window.periods"),
        ("to_date: year", "to_date: day", "metrics.earned_premium_ytd.to_date"),
        ("change: difference", "change: both", "metrics.exposure_added_mom.change"),
        ("shift: {periods: 1", "shft: {periods: 1", "metrics.loss_ratio_yoy.shft"),
    ],
)
def test_a_mistake_is_found_with_its_line(good: str, bad: str, path: str) -> None:
    text = TEXT.replace(good, bad, 1)
    assert f"line {line_of(bad, text)}: {path}" in mistakes(text)


def test_every_mistake_is_reported_at_once() -> None:
    text = TEXT.replace("unit: years", "unt: years").replace("currency: CNY", "currency: 7")
    assert len(mistakes(text)) >= 3


def test_what_is_not_yaml_is_reported_with_its_line() -> None:
    assert mistakes("version: 1\nfacts: [")[0].startswith("line ")
    assert mistakes("- a list") == ["line 1"]
