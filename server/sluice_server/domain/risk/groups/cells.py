"""What groups are sought in: rating cells, dealt to two halves by their factors.

A cell holds all policies that are alike in every factor, in one year. Cells that differ in the year alone are dealt
together, so that no policy is in both halves; and they are dealt by a hash of seed and factors, so that a cell stays in
its half in every later data version: what suggested a group never comes to confirm it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.models.columns import Codes, Floats, Mask, TextColumn
from sluice_server.domain.risk.semantic.semantic_model import Label

SPLIT = "by a hash of the seed and all factors of a rating cell except its year: no policy is in both halves"
DIMENSIONS: Mapping[str, Label] = {
    "product": Label("保障产品", "product"),
    "product_line": Label("产品线", "product line"),
    "category": Label("设备品类", "device category"),
    "brand": Label("品牌", "brand"),
    "tier": Label("门店等级", "store tier"),
    "region": Label("地区", "region"),
    "term_months": Label("保障月数", "months of cover"),
}
"""What may describe a group, with its name in a sentence. None of them names a customer or a device."""
_SHUFFLE = 2


@dataclass(frozen=True, slots=True)
class GroupCells:
    """Rating cells of one data version, by columns of equal length; only those with exposure."""

    dimensions: Mapping[str, TextColumn]
    """By the names of DIMENSIONS."""
    exposure: Floats
    """Policy-years."""
    claims: Floats
    stamp: DataStamp

    def __len__(self) -> int:
        return len(self.exposure)


def discovery_half(cells: GroupCells, seed: int) -> Mask:
    """The cells that groups are sought in; the others judge them."""
    columns = [cells.dimensions[name] for name in DIMENSIONS]
    codes = np.stack([column.codes for column in columns], axis=1)
    distinct, place = np.unique(codes, axis=0, return_inverse=True)
    found = np.zeros(len(distinct), dtype=bool)
    for i, row in enumerate(distinct):
        levels = "\0".join(column.levels[code] for column, code in zip(columns, row, strict=True))
        digest = hashlib.blake2b(f"{seed}\0{levels}".encode(), digest_size=1).digest()
        found[i] = digest[0] & 1
    return np.asarray(found[place.reshape(-1)])


def permuted(claims: Floats, exposure: Floats, seed: int) -> Floats:
    """Every claim dealt anew to a cell, each with the chance of its share of the exposure: as if the claims' policies
    were shuffled. What is then "found" is chance."""
    shares = exposure / exposure.sum()
    dealt: Codes = np.random.default_rng([seed, _SHUFFLE]).multinomial(int(claims.sum()), shares)
    return dealt.astype(np.float64)
