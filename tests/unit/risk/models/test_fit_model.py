from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.models.columns import ModelTable, TextColumn
from sluice_server.domain.risk.models.factors import parse_factor
from sluice_server.domain.risk.models.fit_model import FittedModel, ModelDefinition, fit_model
from sluice_server.domain.risk.models.split import SplitKind
from tests.unit.risk.models.simulated import portfolio


def fitted(table: ModelTable, *factors: str, challenger: bool = False, seed: int = 1) -> FittedModel:
    definition = ModelDefinition(tuple(map(parse_factor, factors)), with_challenger=challenger, seed=seed)
    return fit_model(table, definition)


def test_other_devices_and_later_months_are_held_out_and_a_right_model_passes() -> None:
    table = portfolio()
    model = fitted(table, "model", "channel", "age:number:increasing", challenger=True)
    assert table.group is not None
    assert table.time is not None
    split = model.split
    assert split.kind is SplitKind.GROUPS_AND_TIME
    assert not np.isin(table.group[split.held_out], table.group[split.learn]).any()
    assert table.time[split.held_out].min() >= table.time[split.learn].max()
    assert model.validation.passed
    assert [one.data_set for one in model.validation.figures] == [
        "learn",
        "held_out",
        "held_out_groups",
        "held_out_time",
    ]
    learn, held_out, *_ = model.validation.figures
    assert learn.actual_to_expected == pytest.approx(1.0, abs=1e-6)
    assert held_out.deviance < held_out.null_deviance
    assert held_out.gini > 0.15
    assert held_out.challenger_deviance is not None
    assert held_out.challenger_deviance < held_out.null_deviance
    assert sum(one.claims for one in model.validation.segments if one.factor == "model") == held_out.claims


def test_a_challenger_told_to_rise_never_falls_and_is_the_same_again() -> None:
    table = portfolio(4_000)
    one, two = (fitted(table, "model", "age:increasing", challenger=True).challenger for _ in range(2))
    assert one is not None
    assert two is not None
    old_to_young = table.take(np.argsort(-table.factors["age"].values)[:500])  # type: ignore[union-attr]
    same = replace(
        old_to_young, factors={**old_to_young.factors, "model": table.take(np.zeros(500, int)).factors["model"]}
    )
    predicted = one.predict(same.factors)
    assert (np.diff(predicted) <= 1e-12).all()
    assert predicted == pytest.approx(two.predict(same.factors))


def test_a_level_that_turned_bad_later_fails_the_validation() -> None:
    table = portfolio()
    assert table.time is not None
    late = (table.time > 17) & (table.factors["model"].codes == 2)  # type: ignore[union-attr]
    model = fitted(replace(table, claims=table.claims + np.where(late, 2.0, 0.0)), "model", "channel", "age:number")
    failed = [check for check in model.validation.checks if not check.passed]
    assert "segments" in [check.name for check in failed]
    assert "model m2" in next(check.explanation for check in failed if check.name == "segments")


def test_a_portfolio_that_moved_is_noticed_although_the_model_is_still_right() -> None:
    table = portfolio()
    assert table.time is not None
    kept = (table.time <= 16) | (table.factors["model"].codes != 3) | (np.arange(len(table)) % 5 == 0)  # type: ignore[union-attr]
    model = fitted(table.take(kept), "model", "channel", "age:number")
    assert [check.name for check in model.validation.checks if not check.passed] == ["stability"]


def test_claims_that_cannot_be_known_yet_do_not_make_a_model_look_good() -> None:
    table = portfolio()
    assert table.time is not None
    share = np.where(table.factors["channel"].codes == 1, 0.5, 1.0)  # type: ignore[union-attr]
    thinned = np.random.default_rng(7).binomial(table.claims.astype(int), share).astype(float)
    plain = replace(table, claims=thinned, amount=None)
    developed = replace(plain, reported_share=share)

    def relativity(model: FittedModel) -> float:
        found = {one.level: one.relativity for one in model.frequency.relativities() if one.factor == "channel"}
        return found["c1"] / found["c0"]

    assert relativity(fitted(plain, "model", "channel")) == pytest.approx(0.65, abs=0.1)
    assert relativity(fitted(developed, "model", "channel")) == pytest.approx(1.3, abs=0.2)


def test_every_wrong_column_is_named_at_once() -> None:
    table = portfolio(300)
    bad = replace(table, claims=table.claims - 1.5, exposure=table.exposure * 0)
    with pytest.raises(InvalidInput) as refused:
        fitted(bad, "model")
    assert {violation.field for violation in refused.value.violations} == {"claims", "exposure"}


def test_an_unknown_factor_and_one_given_twice_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"factor model: is given twice.*factor nope: no such column"):
        fitted(portfolio(300), "model", "model", "nope")


def test_a_factor_of_too_many_levels_is_named_before_anything_is_computed() -> None:
    rows = 20_000
    factors = {"device": TextColumn(tuple(f"d{i}" for i in range(2_000)), np.arange(rows) % 2_000)}
    with pytest.raises(InvalidInput, match=r"factor device: has 1,\d+ levels"):
        fitted(ModelTable(np.ones(rows), np.ones(rows), factors), "device")
