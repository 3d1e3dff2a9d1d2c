"""Stores and repair shops whose claims stand out: one test per indicator, combined, and judged over all entities.

Pure functions from sums to findings. Every indicator compares with the other entities of the same kind, allows for the
variation between ordinary ones (`dispersion`), and keeps its own evidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sluice_server.domain.risk.anomalies.concentration import concentration
from sluice_server.domain.risk.anomalies.dispersion import Excess, excess_amount, excess_count, excess_share
from sluice_server.domain.risk.multiple_testing import combined_p, q_values
from sluice_server.domain.risk.semantic.semantic_model import Label

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StoreSums:
    """A store over all months of a data version. Amounts in minor units."""

    store_id: str
    channel_id: str
    exposure_years: float
    claims: int
    incurred: int
    early_claims: int


@dataclass(frozen=True, slots=True)
class ShopPartSums:
    """One part at one repair shop over all months of a data version. Amounts in minor units."""

    repair_shop_id: str
    part: str
    claims: int
    denied: int
    incurred: int
    expected_incurred: int
    repeat_claims: int
    early_claims: int


@dataclass(frozen=True, slots=True)
class ShopFaultSums:
    """One fault at one repair shop over all months of a data version."""

    repair_shop_id: str
    fault: str
    claims: int


@dataclass(frozen=True, slots=True)
class Indicator:
    """One way of standing out, judged alone."""

    name: str
    reason: Label
    observed: float
    expected: float
    unit: str
    p_value: float
    over_dispersion: float
    """Standard deviation of the ordinary entities' true ratios to their expectation."""
    peers: str

    @property
    def ratio(self) -> float | None:
        """Observed over expected; None when nothing was to be expected."""
        return self.observed / self.expected if self.expected > 0 else None


@dataclass(frozen=True, slots=True)
class Screened:
    """An entity with its evidence."""

    entity_id: str
    channel_id: str
    exposure_years: float
    claims: int
    incurred: int
    p_value: float
    q_value: float
    indicators: tuple[Indicator, ...]
    """The strongest first."""

    @property
    def score(self) -> float:
        """Strength of the evidence: minus the decimal logarithm of the p-value."""
        return -math.log10(max(self.p_value, 1e-300))


@dataclass(frozen=True, slots=True)
class _Test:
    """One indicator over all entities. The reasons are templates of observed, expected, ratio and name."""

    name: str
    unit: str
    peers: str
    excess: Excess
    zh: str
    en: str
    names: Sequence[str] = ()
    """By entity what an indicator that looks for one of many has found."""

    def of(self, i: int) -> Indicator | None:
        p = float(self.excess.p_values[i])
        if np.isnan(p):
            return None
        observed, expected = float(self.excess.observed[i]), float(self.excess.expected[i])
        scale = 100 if self.unit == "minor" else 1
        figures = {
            "observed": f"{observed / scale:,.0f}",
            "expected": f"{expected / scale:,.{0 if self.unit == 'minor' else 1}f}",
            "ratio": f"{observed / expected:.2f}" if expected > 0 else "-",
            "name": self.names[i] if self.names else "",
        }
        reason = Label(self.zh.format(**figures), self.en.format(**figures))
        return Indicator(self.name, reason, observed, expected, self.unit, p, self.excess.dispersion, self.peers)


def screen_stores(stores: Sequence[StoreSums], squared_variation: float) -> list[Screened]:
    """Screens all stores, the strongest evidence first.

    ``squared_variation``: squared coefficient of variation of one claim's amount.
    """
    claims = _column([s.claims for s in stores])
    tests = [
        _Test(
            "claim_frequency",
            "claims",
            "all stores",
            excess_count(claims, _column([s.exposure_years for s in stores])),
            "理赔 {observed} 件，按其他门店的出险频率应为 {expected} 件（{ratio} 倍）",
            "{observed} claims where the other stores' frequency gives {expected} ({ratio} times)",
        ),
        _Test(
            "early_claims",
            "claims",
            "claims of all stores",
            excess_share(_column([s.early_claims for s in stores]), claims, claims),
            "起保三十日内理赔 {observed} 件，按其他门店的占比应为 {expected} 件（{ratio} 倍）",
            "{observed} claims within 30 days of the start where the other stores' share gives {expected} "
            "({ratio} times)",
        ),
        _Test(
            "claim_cost",
            "minor",
            "claims of all stores",
            excess_amount(_column([s.incurred for s in stores]), claims, claims, squared_variation),
            "赔款 {observed}，按其他门店的案均赔款应为 {expected}（{ratio} 倍）",
            "{observed} incurred where the other stores' mean claim gives {expected} ({ratio} times)",
        ),
    ]
    p = combined_p(np.column_stack([test.excess.p_values for test in tests])) if stores else np.empty(0)
    q = q_values(p)
    screened = [
        Screened(
            s.store_id, s.channel_id, s.exposure_years, s.claims, s.incurred, float(p[i]), float(q[i]), _of(tests, i)
        )
        for i, s in enumerate(stores)
    ]
    return _strongest_first(screened)


def screen_shops(
    parts: Sequence[ShopPartSums], squared_variation: float, faults: Sequence[ShopFaultSums] = ()
) -> list[Screened]:
    """Screens all repair shops, each against the same parts at all shops; the strongest evidence first.

    ``squared_variation``: squared coefficient of variation of one claim's amount around the mean of its part.
    ``faults``: without them (an older job did not count them) concentration of faults is not tested.
    """
    shops = sorted({part.repair_shop_id for part in parts})
    index = {shop: i for i, shop in enumerate(shops)}
    rows = np.array([index[part.repair_shop_id] for part in parts], dtype=np.int64)

    def by_shop(values: Floats) -> Floats:
        return np.asarray(np.bincount(rows, weights=values, minlength=len(shops)), dtype=np.float64)

    claims = _column([part.claims for part in parts])
    paid = claims - _column([part.denied for part in parts])
    incurred = _column([part.incurred for part in parts])
    repeats = _column([part.repeat_claims for part in parts])
    early = _column([part.early_claims for part in parts])
    expected_incurred = _column([part.expected_incurred for part in parts])
    names = [part.part for part in parts]
    of_parts = concentration(rows, names, claims, len(shops))
    known = [fault for fault in faults if fault.repair_shop_id in index]
    of_faults = concentration(
        np.array([index[fault.repair_shop_id] for fault in known], dtype=np.int64),
        [fault.fault for fault in known],
        _column([fault.claims for fault in known]),
        len(shops),
    )
    peers = "the same parts at all repair shops"
    tests = [
        _Test(
            "repeat_claims",
            "claims",
            peers,
            excess_share(by_shop(repeats), by_shop(claims), by_shop(_at_peers_share(names, repeats, claims))),
            "重复理赔 {observed} 件，按同配件同行占比应为 {expected} 件（{ratio} 倍）",
            "{observed} claims of policies that had claimed before, where other shops' share for the same parts gives "
            "{expected} ({ratio} times)",
        ),
        _Test(
            "cost_against_peers",
            "minor",
            peers,
            excess_amount(by_shop(incurred), by_shop(paid), by_shop(expected_incurred), squared_variation),
            "赔款 {observed}，按同配件同行均价应为 {expected}（{ratio} 倍）",
            "{observed} incurred where the same parts cost {expected} at other shops ({ratio} times)",
        ),
        _Test(
            "early_claims",
            "claims",
            peers,
            # Early claims come from the stores around: one abnormal store touches every shop of its region.
            excess_share(
                by_shop(early), by_shop(claims), by_shop(_at_peers_share(names, early, claims)), all_ordinary=True
            ),
            "起保三十日内理赔 {observed} 件，按同配件同行占比应为 {expected} 件（{ratio} 倍）",
            "{observed} claims within 30 days of the start, where other shops' share for the same parts gives "
            "{expected} ({ratio} times)",
        ),
        _Test(
            "part_concentration",
            "claims",
            "claims of all repair shops",
            of_parts.excess,
            "配件 {name} 理赔 {observed} 件，按其他维修商的占比应为 {expected} 件（{ratio} 倍）",
            "{observed} claims of the part {name} where the other shops' share of it gives {expected} ({ratio} times)",
            of_parts.names,
        ),
        _Test(
            "fault_concentration",
            "claims",
            "claims of all repair shops",
            of_faults.excess,
            "故障 {name} 理赔 {observed} 件，按其他维修商的占比应为 {expected} 件（{ratio} 倍）",
            "{observed} claims of the fault {name} where the other shops' share of it gives {expected} ({ratio} times)",
            of_faults.names,
        ),
    ]
    p = combined_p(np.column_stack([test.excess.p_values for test in tests])) if shops else np.empty(0)
    q = q_values(p)
    claims_by, incurred_by = by_shop(claims), by_shop(incurred)
    screened = [
        Screened(shop, "", 0.0, int(claims_by[i]), int(incurred_by[i]), float(p[i]), float(q[i]), _of(tests, i))
        for i, shop in enumerate(shops)
    ]
    return _strongest_first(screened)


def _at_peers_share(parts: Sequence[str], successes: Floats, trials: Floats) -> Floats:
    """For each row its trials times the share of successes that its part has over all shops."""
    distinct = {part: i for i, part in enumerate(dict.fromkeys(parts))}
    group = np.array([distinct[part] for part in parts], dtype=np.int64)
    if not distinct:
        return np.empty(0)
    totals = np.bincount(group, weights=trials)
    share = np.bincount(group, weights=successes) / np.maximum(totals, 1)
    return np.asarray(trials * share[group])


def _column(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _of(tests: Sequence[_Test], i: int) -> tuple[Indicator, ...]:
    found = [indicator for test in tests if (indicator := test.of(i)) is not None]
    return tuple(sorted(found, key=lambda indicator: indicator.p_value))


def _strongest_first(screened: list[Screened]) -> list[Screened]:
    return sorted(screened, key=lambda s: (s.p_value, -s.claims, s.entity_id))
