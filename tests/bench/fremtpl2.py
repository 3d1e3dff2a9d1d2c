"""The published table on freMTPL2, reproduced; the challenger beside it, and the same on a split without repeats.

    python tests/bench/fremtpl2.py --data DIR

Noll, Salzmann and Wüthrich, "Case study: French motor third-party liability claims" (2018): Poisson deviance of a
policy × 100 on their 90 % learning and 10 % test sample. A third of that test sample repeats a tuple of the learning
sample, so the grouped split, where a tuple is on one side only, is the honest one.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

if not __package__:  # Started by its path: the folder of the tests is not where Python looks.
    sys.path.insert(0, str(Path(__file__).parents[2]))

from sluice_server.domain.risk.models.cells import distinct_rows
from sluice_server.domain.risk.models.challenger import Challenger, fit_challenger
from sluice_server.domain.risk.models.columns import (
    Column,
    Floats,
    Mask,
    ModelTable,
    NumberColumn,
    TextColumn,
    codes_of,
)
from sluice_server.domain.risk.models.deviance import poisson_deviance
from sluice_server.domain.risk.models.factors import make_scale, parse_factor
from sluice_server.domain.risk.models.glm import Family, FittedGlm, fit_glm
from tests.bench.report import Row, report

PUBLISHED_LEARN, PUBLISHED_TEST, PUBLISHED_BOOSTING = 31.26738, 32.17123, 31.468
FACTORS = (
    "Area:ordinal",
    "VehPower:levels:max=9",
    "VehAge:bands=0,10",
    "DrivAge:bands=20,25,30,40,50,70",
    "BonusMalus:number:max=150:increasing",
    "VehBrand",
    "VehGas",
    "Density:log",
    "Region",
)
NUMBERS = ("VehPower", "VehAge", "DrivAge", "BonusMalus", "Density")


@dataclass(frozen=True)
class Deviances:
    """× 100."""

    glm_learn: float
    glm_test: float
    challenger_learn: float
    challenger_test: float
    trees: int


def read(folder: Path) -> tuple[ModelTable, Mask]:
    """The set with the paper's cleaning, and which rows it learns from."""
    raw = parquet.read_table(folder / "freMTPL2freq.parquet")
    learn = parquet.read_table(folder / "noll_2018_learn.parquet")["learn"].to_numpy(zero_copy_only=False)
    columns: dict[str, Column] = {}
    for factor in FACTORS:
        name = parse_factor(factor).name
        if name in NUMBERS:
            columns[name] = NumberColumn(raw[name].to_numpy().astype(np.float64))
        else:
            coded = raw[name].combine_chunks().dictionary_encode()
            levels, codes = coded.dictionary.to_pylist(), coded.indices.to_numpy().astype(np.int64)
            columns[name] = TextColumn(tuple(levels), codes)
    claims: Floats = np.minimum(raw["ClaimNb"].to_numpy(), 4).astype(np.float64)
    exposure: Floats = np.minimum(raw["Exposure"].to_numpy(), 1.0)
    table = ModelTable(claims, exposure, columns)
    return replace(table, group=distinct_rows([codes_of(column) for column in columns.values()])), learn


def fit(table: ModelTable, learn: Mask, *, grouped: bool) -> Deviances:
    """Both models fitted on the learning rows."""
    known, held_out = table.take(learn), table.take(~learn)
    definitions = [parse_factor(text) for text in FACTORS]
    scales = [make_scale(d, known.factors[d.name], known.claims, known.exposure) for d in definitions]
    glm = fit_glm(Family.POISSON, scales, known.factors, known.claims, known.exposure)
    group = known.group if grouped else None
    challenger = fit_challenger(definitions, known.factors, known.claims, known.exposure, group)

    def deviance(model: FittedGlm | Challenger, part: ModelTable) -> float:
        predicted = model.predict(part.factors)
        return 100 * poisson_deviance(part.claims, predicted * part.exposure)

    return Deviances(
        deviance(glm, known),
        deviance(glm, held_out),
        deviance(challenger, known),
        deviance(challenger, held_out),
        challenger.trees,
    )


def folder_of(data: Path) -> Path:
    """``data`` itself, or the folder of the set in it. Raises FileNotFoundError."""
    for folder in (data, data / "freMTPL2"):
        if (folder / "freMTPL2freq.parquet").is_file():
            return folder
    raise FileNotFoundError(f"no freMTPL2freq.parquet in {data} or {data / 'freMTPL2'}")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="the folder with the Parquet files, or the one above")
    try:
        folder = folder_of(options.parse_args().data)
    except FileNotFoundError as missing:
        options.error(str(missing))
    return 0 if measure(folder) else 1


def measure(folder: Path) -> bool:
    """Fits, prints and reports; True when the published table is met to 1e-4."""
    table, learn = read(folder)
    groups = table.group
    assert groups is not None
    repeats = np.isin(groups[~learn], groups[learn]).mean()
    published = fit(table, learn, grouped=False)
    # The tuples of the test sample's size, drawn whole.
    _, numbers = np.unique(groups, return_inverse=True)
    apart = (np.random.default_rng(2018).random(int(numbers.max()) + 1) >= (~learn).mean())[numbers]
    honest = fit(table, apart, grouped=True)

    def row(case: str, value: float, against: str = "", reference: float | None = None, goal: str = "") -> Row:
        return Row(case, round(value, 5), "deviance × 100", against, reference and value / reference, goal)

    report(
        "risk",
        [
            row(
                "fremtpl2/glm1-learn", published.glm_learn, f"published {PUBLISHED_LEARN}", PUBLISHED_LEARN, "± 0.0001"
            ),
            row("fremtpl2/glm1-test", published.glm_test, f"published {PUBLISHED_TEST}", PUBLISHED_TEST, "± 0.0001"),
            row("fremtpl2/challenger-learn", published.challenger_learn),
            row(
                "fremtpl2/challenger-test",
                published.challenger_test,
                f"published boosting {PUBLISHED_BOOSTING}",
                PUBLISHED_BOOSTING,
                "ratio ≤ 1",
            ),
            Row("fremtpl2/challenger-trees", published.trees, "trees"),
            Row(
                "fremtpl2/test-repeats",
                round(float(repeats), 4),
                "share of the test rows",
                "tuples of the learning rows",
            ),
            row("fremtpl2-grouped/glm1-learn", honest.glm_learn),
            row("fremtpl2-grouped/glm1-test", honest.glm_test),
            row("fremtpl2-grouped/challenger-learn", honest.challenger_learn),
            row("fremtpl2-grouped/challenger-test", honest.challenger_test, "grouped glm1-test", honest.glm_test),
        ],
        part=True,
    )
    exact = abs(published.glm_learn - PUBLISHED_LEARN) < 1e-4 and abs(published.glm_test - PUBLISHED_TEST) < 1e-4
    print(f"GLM1 learn/test {published.glm_learn:.5f}/{published.glm_test:.5f}, published 31.26738/32.17123")
    return exact


if __name__ == "__main__":
    sys.exit(main())
