from __future__ import annotations

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.models.columns import NumberColumn, TextColumn
from sluice_server.domain.risk.models.factors import (
    OTHER,
    Direction,
    FactorDefinition,
    LevelScale,
    NumberScale,
    Treatment,
    as_levels,
    make_scale,
    parse_factor,
)


def scale(text: str, column: NumberColumn | TextColumn, claims: float = 10) -> LevelScale | NumberScale:
    rows = len(column.values if isinstance(column, NumberColumn) else column.codes)
    return make_scale(parse_factor(text), column, np.full(rows, claims), np.ones(rows))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age", FactorDefinition("age")),
        ("age:bands=20,30", FactorDefinition("age", Treatment.BANDS, (20.0, 30.0))),
        ("power:levels:max=9", FactorDefinition("power", Treatment.LEVELS, greatest=9.0)),
        ("density:log", FactorDefinition("density", Treatment.NUMBER, logarithm=True)),
        ("age:min=1:increasing", FactorDefinition("age", least=1.0, direction=Direction.INCREASING)),
    ],
)
def test_options_are_read(text: str, expected: FactorDefinition) -> None:
    assert parse_factor(text) == expected


@pytest.mark.parametrize(
    "text", ["age:foo", "age:bands=", "age:bands=3,2", "age:max=x", "age:max", ":log", "age:log=2"]
)
def test_options_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="there are: levels"):
        parse_factor(text)


def test_bands_hold_their_upper_ends() -> None:
    made = scale("age:bands=20,30", NumberColumn(np.array([10.0, 20.0, 20.5, 30.0, 31.0, 31.0])))
    assert isinstance(made, LevelScale)
    assert set(made.levels) == {"≤ 20", "(20, 30]", "> 30"}
    assert [made.levels[i] for i in made.apply(NumberColumn(np.array([-1.0, 20.0, 30.0, 99.0])))] == [
        "≤ 20", "≤ 20", "(20, 30]", "> 30",
    ]  # fmt: skip


def test_the_level_with_most_exposure_is_the_base() -> None:
    made = scale("f", TextColumn.of(["a", "b", "b", "c"]))
    assert isinstance(made, LevelScale)
    assert made.levels[0] == "b"


def test_numbers_beyond_the_greatest_share_its_level_also_when_they_are_new() -> None:
    made = scale("power:levels:max=9", NumberColumn(np.array([4.0, 9.0, 12.0])))
    assert isinstance(made, LevelScale)
    assert set(made.levels) == {"4", "9"}
    assert made.levels[made.apply(NumberColumn(np.array([12.0])))[0]] == "9"


def test_rare_levels_are_joined_and_what_is_unknown_goes_with_them() -> None:
    column = TextColumn.of(["a"] * 10 + ["b"] * 3 + ["c"] * 3)
    made = scale("f", column, claims=1)
    assert isinstance(made, LevelScale)
    assert made.levels == ("a", OTHER)
    new = TextColumn.of(["a", "b", "z"])
    assert [made.levels[i] for i in made.apply(new)] == ["a", OTHER, OTHER]
    assert made.unseen(new) == 1


def test_missing_numbers_are_a_band_of_their_own() -> None:
    values = np.array([float(i) for i in range(20)] + [np.nan] * 5)
    made = scale("age", NumberColumn(values))
    assert isinstance(made, LevelScale)
    assert "(missing)" in made.levels
    assert made.levels[made.apply(NumberColumn(np.array([np.nan])))[0]] == "(missing)"


def test_the_logarithm_is_taken_within_the_limits() -> None:
    made = scale("d:log:max=100", NumberColumn(np.array([1.0, 10.0, 100.0, 1000.0])))
    assert isinstance(made, NumberScale)
    assert made.place(NumberColumn(np.array([1000.0, 10.0]))) == pytest.approx(np.log([100.0, 10.0]))


def test_ordinal_text_counts_from_one_in_the_order_of_the_alphabet() -> None:
    made = scale("area:ordinal", TextColumn.of(["C", "A", "B"]))
    assert isinstance(made, NumberScale)
    assert list(made.place(TextColumn.of(["A", "B", "C"]))) == [1.0, 2.0, 3.0]
    assert np.isnan(made.place(TextColumn.of(["Z"]))[0])


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("f:number", TextColumn.of(["a", "b"]), "is text"),
        ("f:bands", TextColumn.of(["a", "b"]), "bands need a column of numbers"),
        ("f:number", NumberColumn(np.ones(4)), "no two different numbers"),
    ],
)
def test_a_treatment_that_does_not_fit_the_column_is_refused(
    text: str, column: NumberColumn | TextColumn, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        scale(text, column)


def test_many_numbers_become_bands_of_equally_many_rows() -> None:
    levels = as_levels(NumberColumn(np.arange(800.0)))
    assert list(np.bincount(levels.codes)) == [100] * 8
