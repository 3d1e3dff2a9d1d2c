from __future__ import annotations

import numpy as np
import pytest

from sluice_server.domain.risk.models.columns import Column, ModelTable, NumberColumn, TextColumn
from sluice_server.domain.risk.models.factors import parse_factor
from sluice_server.domain.risk.models.fit_model import ModelDefinition, fit_model
from sluice_server.domain.risk.models.leakage import LeakageFound, check_leakage, identifying_tuples
from sluice_server.domain.risk.models.split import SplitKind, make_split
from tests.unit.risk.models.simulated import portfolio


def passed(table: ModelTable, learn: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[str, bool]:
    return {check.name: check.passed for check in check_leakage(table, learn, ~learn)}


def without_group(table: ModelTable) -> ModelTable:
    return ModelTable(table.claims, table.exposure, table.factors, table.amount)


def test_a_group_on_both_sides_is_found_and_one_side_each_is_not() -> None:
    table = portfolio(3_000)
    assert table.group is not None
    assert passed(table, np.arange(3_000) % 2 == 0)["groups"] is False
    assert passed(table, table.group % 2 == 0)["groups"] is True


def test_rows_that_were_copied_to_the_other_side_are_found() -> None:
    table = without_group(portfolio(3_000))
    copied = table.take(np.concatenate([np.arange(3_000), np.arange(60)]))
    learn = np.concatenate([np.arange(3_000) >= 1_000, np.zeros(60, bool)])
    assert passed(copied, learn) == {"factor_tuples": True, "whole_records": True}  # The copies are of held-out rows.
    learn[:60] = True
    assert passed(copied, learn)["whole_records"] is False


def test_coarse_cells_on_both_sides_are_no_leak() -> None:
    random = np.random.default_rng(2)
    factors = {name: TextColumn(tuple("abcd"), random.integers(0, 4, 2_000)) for name in ("one", "two", "three")}
    # A column that another determines would make impossible tuples when shuffled.
    factors["of_one"] = TextColumn(("x", "y"), factors["one"].codes // 2)
    table = ModelTable(random.poisson(0.3, 2_000).astype(np.float64), np.ones(2_000), factors)
    learn = random.random(2_000) < 0.7
    assert passed(table, learn) == {"factor_tuples": True, "whole_records": True}
    assert identifying_tuples(table) is None


def test_tuples_that_tell_records_apart_are_kept_together() -> None:
    random = np.random.default_rng(3)
    person = random.integers(0, 800, 2_000)
    factors: dict[str, Column] = {
        "height": NumberColumn(random.normal(0, 1, 800).round(1)[person]),
        "weight": NumberColumn(random.normal(0, 1, 800).round(1)[person]),
        "town": TextColumn(tuple("abcdefgh"), (person % 8)),
    }
    table = ModelTable(random.poisson(0.5, 2_000).astype(np.float64), np.ones(2_000), factors)
    split = make_split(table)
    assert split.kind is SplitKind.TUPLES
    assert not np.isin(person[split.held_out], person[split.learn]).any()
    assert passed(table, random.random(2_000) < 0.7)["factor_tuples"] is False


def test_nothing_is_fitted_on_a_split_that_leaks() -> None:
    table = portfolio(3_000)
    definition = ModelDefinition((parse_factor("model"),), with_challenger=False)
    with pytest.raises(LeakageFound, match="groups are on both sides") as refused:
        fit_model(table, definition, np.arange(3_000) % 2 == 0)
    assert [check.name for check in refused.value.checks if not check.passed] == ["groups"]


def test_a_model_fitted_in_spite_of_a_leak_never_passes() -> None:
    definition = ModelDefinition((parse_factor("model"),), with_challenger=False, allow_leakage=True)
    fitted = fit_model(portfolio(3_000), definition, np.arange(3_000) % 2 == 0)
    assert not fitted.validation.passed
