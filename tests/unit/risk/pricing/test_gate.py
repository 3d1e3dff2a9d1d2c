from __future__ import annotations

from dataclasses import replace

import pytest

from sluice_server.domain.risk.pricing.gate import Prices, judge
from sluice_server.domain.risk.pricing.model_version import PortfolioCell
from sluice_server.domain.risk.pricing.tariff import FactorKind, Tariff, TariffFactor, TariffLevel


def tariff(dear: float) -> Tariff:
    """Twenty yuan a year, and ``dear`` times that for b."""
    levels = (TariffLevel("a", 1.0, 0.0, 10.0), TariffLevel("b", dear, 0.1, 10.0))
    factor = TariffFactor("f", FactorKind.LEVELS, levels, 1.0, {"a": 0, "b": 1})
    return Tariff("CNY", 2_000.0, 0.05, (factor,), 20.0, 1.0)


PORTFOLIO = [
    PortfolioCell({"f": "a"}, 300, 100.0, 50, 150_000, 400_000),
    PortfolioCell({"f": "b"}, 100, 50.0, 50, 150_000, 200_000),
]


def test_dislocation_counts_policies_by_their_change() -> None:
    found = judge(PORTFOLIO, Prices(tariff(1.15), 0.0), Prices(tariff(1.0), 0.0), 0.2, True)
    assert {(band.at_least, band.below): band.policies for band in found.dislocation if band.policies} == {
        (0.0, 0.05): 300,
        (0.1, 0.2): 100,
    }
    assert sum(band.share for band in found.dislocation) == pytest.approx(1.0)
    # 300,000 of claims over 100 × 2,000 + 50 × 2,300.
    assert found.expected_loss_ratio == pytest.approx(300_000 / 315_000)
    assert [check.passed for check in found.checks] == [True, True, True]


def test_a_change_beyond_the_limit_does_not_pass_and_the_limit_itself_does() -> None:
    changes = {
        dear: judge(PORTFOLIO, Prices(tariff(dear), 0.0), Prices(tariff(1.0), 0.0), 0.2, True) for dear in (1.2, 1.3)
    }
    assert [check.passed for check in changes[1.2].checks if check.name == "maximum_change"] == [True]
    failed = next(check for check in changes[1.3].checks if check.name == "maximum_change")
    assert not failed.passed
    assert failed.value == pytest.approx(0.25)
    assert "100 of 400 policies" in failed.explanation


@pytest.mark.parametrize(("share", "passed"), [(0.25, True), (0.24, False)])
def test_a_stated_share_of_the_policies_may_change_by_more(share: float, passed: bool) -> None:
    found = judge(PORTFOLIO, Prices(tariff(1.3), 0.0), Prices(tariff(1.0), 0.0), 0.2, True, share)
    check = next(check for check in found.checks if check.name == "maximum_change")
    assert (check.passed, check.limit) == (passed, share)


def test_prices_that_do_not_cover_the_claims_do_not_pass() -> None:
    cheap = replace(tariff(1.0), base_claims_minor=1_500.0)
    found = judge(PORTFOLIO, Prices(cheap, 0.2), Prices(cheap, 0.2), 0.2, True)
    assert [check.name for check in found.checks if not check.passed] == ["loss_ratio"]
    assert found.expected_loss_ratio_interval is not None


def test_without_an_active_model_the_premiums_of_the_day_are_compared() -> None:
    found = judge(PORTFOLIO, Prices(tariff(1.0), 1.0), None, 0.01, True)
    assert {band.policies for band in found.dislocation if band.at_least == 0.0} == {400}


def test_a_failed_validation_does_not_pass() -> None:
    found = judge(PORTFOLIO, Prices(tariff(1.0), 1.0), None, 0.2, False)
    assert [check.name for check in found.checks if not check.passed] == ["validation"]
