"""A boosted challenger: what a model without assumptions finds that the GLM does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice_server.domain.risk.models.columns import Codes, Column, Floats, NumberColumn, TextColumn
from sluice_server.domain.risk.models.factors import Direction, FactorDefinition, Treatment

_PARAMETERS = {
    "objective": "poisson",
    "metric": "poisson",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "lambda_l2": 1.0,
    # A leaf of fewer expected claims is noise; of a Poisson loss they are the sum of the second derivatives.
    "min_sum_hessian_in_leaf": 10.0,
    "poisson_max_delta_step": 0.3,
    "max_cat_to_onehot": 8,
    "cat_smooth": 50.0,
    "bagging_fraction": 0.75,
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
_MOST_TREES = 1_500
_PATIENCE = 40


@dataclass(frozen=True, slots=True)
class Challenger:
    """Fitted trees."""

    booster: Any
    columns: tuple[FactorDefinition, ...]
    levels: Mapping[str, tuple[str, ...]]
    """Of each text column: the levels in the order of their codes."""
    scale: float
    """Multiplied with: the predictions' sum on the learning rows is that of their claims."""
    trees: int

    def predict(self, factors: Mapping[str, Column]) -> Floats:
        """Claims for a unit of exposure of each row."""
        return np.asarray(self.booster.predict(_features(self.columns, self.levels, factors))) * self.scale


def fit_challenger(
    definitions: Sequence[FactorDefinition],
    factors: Mapping[str, Column],
    claims: Floats,
    exposure: Floats,
    group: Codes | None = None,
    seed: int = 1,
) -> Challenger:
    """Boosts Poisson trees on the raw columns, with the exposure as weight.

    A fifth of the groups (of the rows, where there are none) says when to stop. Where a definition gives a direction,
    the trees are monotone in it. The same input and seed give the same trees.
    """
    import lightgbm

    levels = {d.name: column.levels for d in definitions if isinstance(column := factors[d.name], TextColumn)}
    features = _features(definitions, levels, factors)
    categorical = [i for i, d in enumerate(definitions) if d.name in levels and d.treatment is not Treatment.ORDINAL]
    random = np.random.default_rng(seed)
    if group is None:
        stopping = random.random(len(claims)) < 0.2
    else:
        _, numbers = np.unique(group, return_inverse=True)
        stopping = (random.random(int(numbers.max()) + 1) < 0.2)[numbers]
    parameters = {
        **_PARAMETERS,
        "seed": seed,
        # Threads that wait for each other cost more than they bring on a small table.
        "num_threads": 1 if len(claims) < 200_000 else 2,
        "min_data_in_leaf": int(np.clip(len(claims) // 2_000, 20, 300)),
        "monotone_constraints": [_sign(d) if i not in categorical else 0 for i, d in enumerate(definitions)],
    }

    def data(rows: Any, reference: Any = None) -> Any:
        return lightgbm.Dataset(
            features[rows],
            label=claims[rows] / exposure[rows],
            weight=exposure[rows],
            categorical_feature=categorical,
            reference=reference,
            params={"verbosity": -1},
        )

    first = data(~stopping)
    if stopping.any() and claims[stopping].sum() > 0 and claims[~stopping].sum() > 0:
        tried = lightgbm.train(
            parameters,
            first,
            num_boost_round=_MOST_TREES,
            valid_sets=[data(stopping, first)],
            callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
        )
        trees = max(tried.best_iteration, 1)
    else:
        trees = 50
    booster = lightgbm.train(parameters, data(np.ones(len(claims), dtype=bool)), num_boost_round=trees)
    predicted = np.asarray(booster.predict(features))
    return Challenger(booster, tuple(definitions), levels, float(claims.sum() / (predicted * exposure).sum()), trees)


def _sign(definition: FactorDefinition) -> int:
    return {Direction.FREE: 0, Direction.INCREASING: 1, Direction.DECREASING: -1}[definition.direction]


def _features(
    definitions: Sequence[FactorDefinition], levels: Mapping[str, tuple[str, ...]], factors: Mapping[str, Column]
) -> Floats:
    columns = []
    for definition in definitions:
        column = factors[definition.name]
        if isinstance(column, NumberColumn):
            columns.append(column.values)
            continue
        known = {level: float(i) for i, level in enumerate(levels[definition.name])}
        table = np.array([known.get(level, np.nan) for level in column.levels])
        columns.append(table[column.codes])
    return np.column_stack(columns)
