"""Abnormal stores and repair shops: planted ones are found with their reason, ordinary ones are left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.risk.anomalies.dispersion import excess_count
from sluice_server.domain.risk.anomalies.screening import (
    Screened,
    ShopFaultSums,
    ShopPartSums,
    StoreSums,
    screen_shops,
    screen_stores,
)

RATE, EARLY, COST = 0.1, 0.08, 40_000


def stores(seed: int, count: int = 300, bad: int = 0, between: float = 0.1) -> list[StoreSums]:
    """Stores of all sizes whose true frequency varies by ``between``; the first ``bad`` have it threefold."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        exposure = float(rng.lognormal(5.5, 0.8)) if i >= bad else 300.0
        risk = rng.gamma(1 / between**2, between**2) * (3.0 if i < bad else 1.0)
        claims = int(rng.poisson(RATE * exposure * risk))
        incurred = int(rng.gamma(1.0, COST, claims).sum())
        found.append(StoreSums(f"s{i:03d}", "CH", exposure, claims, incurred, int(rng.binomial(claims, EARLY))))
    return found


def shops(seed: int, count: int = 60, bad: int = 0) -> list[ShopPartSums]:
    """Shops that repair screens and batteries; the first ``bad`` bring back a third and charge half as much again."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        for part, cost in (("screen", 60_000), ("battery", 20_000)):
            claims = int(rng.poisson(80 if i < bad else rng.lognormal(4, 0.6)))
            denied = int(rng.binomial(claims, 0.05))
            paid = claims - denied
            incurred = int(rng.gamma(4.0, cost / 4 * (1.5 if i < bad else 1.0), paid).sum())
            repeats, early = int(rng.binomial(claims, 0.33 if i < bad else 0.05)), int(rng.binomial(claims, EARLY))
            found.append(ShopPartSums(f"r{i:02d}", part, claims, denied, incurred, paid * cost, repeats, early))
    return found


def flagged(screened: list[Screened], rate: float = 0.05) -> set[str]:
    return {entity.entity_id for entity in screened if entity.q_value <= rate}


def test_planted_stores_are_found_by_their_frequency() -> None:
    screened = screen_stores(stores(1, bad=8), 1.0)
    found = flagged(screened)
    assert found >= {f"s{i:03d}" for i in range(8)}
    assert len(found) <= 10
    first = screened[0].indicators[0]
    assert first.name == "claim_frequency"
    assert first.observed / first.expected > 2
    assert f"{first.observed:.0f} claims" in first.reason.en
    assert f"{first.observed:.0f} 件" in first.reason.zh


def test_planted_repair_shops_are_found_by_repeats_and_cost() -> None:
    screened = screen_shops(shops(2, bad=3), 0.25)
    assert flagged(screened) >= {"r00", "r01", "r02"}
    assert len(flagged(screened)) <= 4
    assert {i.name for i in screened[0].indicators[:2]} == {"repeat_claims", "cost_against_peers"}
    assert screened[0].claims == sum(s.claims for s in shops(2, bad=3) if s.repair_shop_id == screened[0].entity_id)


def test_an_abnormal_shop_is_found_although_it_is_the_largest_of_all() -> None:
    usual = shops(7, count=16)
    giant = [
        ShopPartSums("giant", part, 400, 20, int(380 * cost * 1.5), 380 * cost, 130, 32)
        for part, cost in (("screen", 60_000), ("battery", 20_000))
    ]
    assert flagged(screen_shops([*usual, *giant], 0.25)) == {"giant"}


def test_early_claims_that_a_store_brings_to_the_shops_around_accuse_none_of_them() -> None:
    # Every eighth shop is of the region of a store whose claims are early.
    region = [
        dataclasses.replace(part, early_claims=part.claims // 2) if int(part.repair_shop_id[1:]) % 8 == 5 else part
        for part in shops(8, count=32)
    ]
    assert flagged(screen_shops(region, 0.25), 0.01) == set()


def test_a_single_shop_with_early_claims_is_found() -> None:
    alone = [
        dataclasses.replace(part, early_claims=part.claims // 2) if part.repair_shop_id == "r05" else part
        for part in shops(9)
    ]
    assert flagged(screen_shops(alone, 0.25), 0.01) == {"r05"}


FAULTS = ("DROP", "LIQUID", "WEAR", "ELECTRIC", "DEFECT", "UNKNOWN")


def faults(seed: int, parts: list[ShopPartSums], bad: str = "") -> list[ShopFaultSums]:
    """Shops of regions where things break a little differently; three of five claims of ``bad`` were liquid."""
    rng = np.random.default_rng(seed)
    claims: dict[str, int] = {}
    for part in parts:
        claims[part.repair_shop_id] = claims.get(part.repair_shop_id, 0) + part.claims
    found = []
    for shop, number in sorted(claims.items()):
        mix = rng.dirichlet(60 * np.array([0.35, 0.15, 0.2, 0.1, 0.1, 0.1]))
        if shop == bad:
            mix = 0.45 * mix + 0.55 * np.eye(len(FAULTS))[1]
        drawn = rng.multinomial(number, mix)
        found += [ShopFaultSums(shop, name, int(n)) for name, n in zip(FAULTS, drawn, strict=True) if n]
    return found


def test_a_shop_where_too_many_claims_have_one_fault_is_found_and_the_fault_named() -> None:
    usual = shops(11)
    screened = screen_shops(usual, 0.25, faults(11, usual, bad="r05"))
    assert flagged(screened, 0.01) == {"r05"}
    first = screened[0].indicators[0]
    assert first.name == "fault_concentration"
    assert "of the fault LIQUID where" in first.reason.en
    assert "故障 LIQUID" in first.reason.zh
    assert first.observed > 2 * first.expected


def test_ordinary_mixes_of_faults_give_findings_only_at_the_stated_rate() -> None:
    runs = [screen_shops(usual := shops(seed), 0.25, faults(seed, usual)) for seed in range(200, 240)]
    assert sum(bool(flagged(screened)) for screened in runs) <= 5, "of 40 runs at a rate of 5 %"


def test_without_counted_faults_their_concentration_is_not_judged() -> None:
    names = {indicator.name for shop in screen_shops(shops(12), 0.25) for indicator in shop.indicators}
    assert "part_concentration" in names
    assert "fault_concentration" not in names


def test_ordinary_entities_give_findings_only_at_the_stated_rate() -> None:
    # With no abnormal one every finding is false: runs with any finding at all are limited to the rate.
    runs = sum(bool(flagged(screen_stores(stores(seed), 1.0))) for seed in range(100, 160))
    runs += sum(bool(flagged(screen_shops(shops(seed), 0.25))) for seed in range(100, 160))
    assert runs <= 15, "of 120 runs at a rate of 5 %"


def test_permuted_labels_give_few_findings() -> None:
    rng = np.random.default_rng(9)
    real = stores(4, bad=8)
    order = rng.permutation(len(real))
    # Every store gets the frequency that its exposure gives; which claims are whose is chance.
    total, exposure = sum(s.claims for s in real), sum(s.exposure_years for s in real)
    shuffled = [
        StoreSums(s.store_id, "CH", s.exposure_years, int(claims), int(claims) * COST, int(rng.binomial(claims, EARLY)))
        for s, claims in ((real[i], rng.poisson(total * real[i].exposure_years / exposure)) for i in order)
    ]
    assert len(flagged(screen_stores(shuffled, 1.0))) <= 1


def test_size_alone_is_no_reason() -> None:
    large = StoreSums("large", "CH", 50_000.0, 5000, 5000 * COST, 400)
    assert "large" not in flagged(screen_stores([*stores(5), large], 1.0))


def test_the_variation_between_ordinary_stores_is_found_in_spite_of_abnormal_ones() -> None:
    drawn = stores(6, count=2000, bad=60, between=0.3)
    found = excess_count(np.array([s.claims for s in drawn], dtype=float), np.array([s.exposure_years for s in drawn]))
    assert found.dispersion == pytest.approx(0.3, abs=0.06)


# The result tables hold whole 1e-9 years.
exposures = st.integers(0, 1000 * 10**9).map(lambda billionths: billionths / 1e9)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(exposures, st.integers(0, 60), st.integers(0, 10**9), st.integers(0, 60)), max_size=25))
def test_whatever_the_sums_are_probabilities_come_out(rows: list[tuple[float, int, int, int]]) -> None:
    given_stores = [
        StoreSums(f"s{i}", "CH", exposure, claims, incurred, min(early, claims))
        for i, (exposure, claims, incurred, early) in enumerate(rows)
    ]
    screened = screen_stores(given_stores, 1.0)
    assert len(screened) == len(rows)
    for entity in screened:
        assert 0 <= entity.p_value <= entity.q_value <= 1
        assert all(0 <= indicator.p_value <= 1 for indicator in entity.indicators)
