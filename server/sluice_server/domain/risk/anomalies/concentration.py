"""Entities of whose claims too many are alike: one part, one fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sluice_server.domain.risk.anomalies.dispersion import Excess, excess_share

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Concentration:
    """Of each entity the name that it has more of than the others, and how improbable that is."""

    excess: Excess
    names: Sequence[str]


def concentration(entity: npt.NDArray[np.int64], names: Sequence[str], claims: Floats, entities: int) -> Concentration:
    """Rows are ``claims`` of an entity (a number below ``entities``) and a name, each pair in one row at most.

    P-values are corrected for so many names (Šidák). NaN for an entity without rows, or where all have one name.
    Entities differ in what their region sells, so all of them tell how shares vary: only one that stands out alone
    counts.
    """
    distinct = {name: i for i, name in enumerate(dict.fromkeys(names))}
    observed, hoped, corrected = np.zeros(entities), np.zeros(entities), np.full(entities, np.nan)
    if not distinct:
        return Concentration(Excess(observed, hoped, corrected, 0.0), [""] * entities)
    code = np.array([distinct[name] for name in names], dtype=np.int64)
    of_entity = np.bincount(entity, weights=claims, minlength=entities).astype(np.float64)
    of_name = np.bincount(code, weights=claims).astype(np.float64)
    others = np.maximum(claims.sum() - of_entity[entity], 1.0)
    # A hundredth of a claim more, so that a name that nobody else has still has an expectation.
    expected = np.minimum(of_entity[entity] * (of_name[code] - claims + 0.01) / others, of_entity[entity])
    tested = excess_share(claims, of_entity[entity], expected, all_ordinary=True)
    p = np.where(np.isnan(tested.p_values), 1.0, tested.p_values)
    order = np.lexsort((p, entity))
    _, first = np.unique(entity[order], return_index=True)
    best = order[first]
    observed[entity[best]], hoped[entity[best]] = claims[best], expected[best]
    if len(distinct) > 1:
        corrected[entity[best]] = -np.expm1(len(distinct) * np.log1p(-np.minimum(p[best], 1 - 1e-16)))
    found = [""] * entities
    for row in best:
        found[entity[row]] = names[row]
    return Concentration(Excess(observed, hoped, corrected, tested.dispersion), found)
