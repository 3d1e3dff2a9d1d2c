"""Ratings, anomalies, scores, versions and the model's description over a store in memory."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sluice_server.domain.errors import DataVersionNotFound, InvalidInput, InvalidPageToken, RiskResourceNotFound
from sluice_server.domain.risk.anomalies.list_anomalies import ListAnomaliesParams
from sluice_server.domain.risk.data_version import DataVersionState
from sluice_server.domain.risk.list_data_versions import ListDataVersionsParams
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.ratings.get_risk_score import GetRiskScoreParams
from sluice_server.domain.risk.ratings.grades import RatingBasis, RatingGrade
from sluice_server.domain.risk.ratings.list_ratings import ListRatingsParams
from sluice_server.domain.risk.semantic.describe_model import DescribeModelParams
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.use_cases import RiskUseCases, build_risk_use_cases
from tests.unit.risk.fake_reader import CONTEXT, FakeRiskReader, Rows
from tests.unit.risk.portfolio import channel_row

MONTH = date(2026, 1, 1)


def portfolio() -> Rows:
    """40 stores of 4 channels, 20 repair shops; store S39 claims fourfold, shop R19 brings every second one back."""
    stores: list[dict[str, Any]] = []
    for i in range(40):
        claims = (10 + i % 3) * (4 if i == 39 else 1)
        stores.append(
            channel_row(
                f"CH{i % 4}", MONTH, exposure_years=100.0, claims=claims, incurred_minor=claims * 30_000,
                earned_premium_minor=1_000_000,
            )
            | {"store_id": f"S{i:02d}", "claims_within_30_days": 1}
        )  # fmt: skip
    shops = [
        {
            "repair_shop_id": f"R{i:02d}", "part_code": "screen", "month": MONTH, "claims": 50, "denied": 2,
            "incurred_minor": 48 * (500 + i), "expected_incurred_minor": 48 * 510,
            "repeat_claims": 25 if i == 19 else 2 + i % 2, "claims_within_30_days": 3,
        }
        for i in range(20)
    ]  # fmt: skip
    channels = [
        channel_row(f"CH{c}", MONTH, exposure_years=1000.0, claims=n, incurred_minor=n * 30_000)
        | {"earned_premium_minor": 10_000_000}
        for c, n in enumerate((100, 101, 102, 140))
    ]
    return {"store_month": stores, "repair_shop_month": shops, "channel_month": channels}


@pytest.fixture
def reader() -> FakeRiskReader:
    return FakeRiskReader(portfolio())


@pytest.fixture
def risk(reader: FakeRiskReader) -> RiskUseCases:
    return build_risk_use_cases(shipped_model(), reader)


async def test_abnormal_stores_and_shops_are_listed_with_counts_of_what_was_screened(risk: RiskUseCases) -> None:
    page = await risk.list_anomalies(ListAnomaliesParams("", Page(50)), CONTEXT)
    assert {(a.entity, a.screened.entity_id) for a in page.anomalies} == {("store", "S39"), ("repair_shop", "R19")}
    assert (page.screened, page.flagged) == ({"store": 40, "repair_shop": 20}, {"store": 1, "repair_shop": 1})
    assert {a.screened.entity_id: a.screened.channel_id for a in page.anomalies} == {"S39": "CH3", "R19": ""}


async def test_anomalies_page_through_everything_once(risk: RiskUseCases, reader: FakeRiskReader) -> None:
    found, token = [], ""
    while True:
        page = await risk.list_anomalies(ListAnomaliesParams("store", Page(7, token), include_unflagged=True), CONTEXT)
        found += [anomaly.screened.entity_id for anomaly in page.anomalies]
        token = page.next_page_token
        if not token:
            break
    assert sorted(found) == [f"S{i:02d}" for i in range(40)]
    assert reader.selects == 2, "screened once for the data version, and the months of the one that is flagged"
    with pytest.raises(InvalidPageToken):
        await risk.list_anomalies(ListAnomaliesParams("repair_shop", Page(7, "abc")), CONTEXT)


async def test_ratings_are_filtered_by_grade_and_id_but_rated_among_all(risk: RiskUseCases) -> None:
    everyone = await risk.list_ratings(ListRatingsParams("channel", RatingBasis.LOSS_RATIO, Page(50)), CONTEXT)
    assert everyone.ratings[0].entity_id == "CH3"
    one = await risk.list_ratings(
        ListRatingsParams("channel", RatingBasis.LOSS_RATIO, Page(50), entity_ids=("CH3",)), CONTEXT
    )
    assert one.ratings == everyone.ratings[:1]
    none = await risk.list_ratings(
        ListRatingsParams("channel", RatingBasis.LOSS_RATIO, Page(50), grades=(RatingGrade.UNRATED,)), CONTEXT
    )
    assert (none.ratings, none.total_size) == ((), 0)


async def test_scores_put_the_abnormal_above_the_ordinary(risk: RiskUseCases) -> None:
    bad, ordinary, shop = [
        await risk.get_risk_score(GetRiskScoreParams(*entity), CONTEXT)
        for entity in (("store", "S39"), ("store", "S00"), ("repair_shop", "R19"))
    ]
    assert bad.abnormal
    assert shop.abnormal
    assert not ordinary.abnormal
    assert bad.score > 95 > 60 > ordinary.score
    assert shop.score > 95
    assert any("claims where the other stores' frequency" in reason for reason in bad.reasons)
    assert (shop.grade, shop.relative_risk) == (RatingGrade.UNRATED, None)


async def test_unknown_kinds_and_ids_are_refused(risk: RiskUseCases) -> None:
    with pytest.raises(InvalidInput):
        await risk.list_ratings(ListRatingsParams("planet", RatingBasis.LOSS_RATIO, Page(5)), CONTEXT)
    with pytest.raises(InvalidInput):
        await risk.list_anomalies(ListAnomaliesParams("channel", Page(5)), CONTEXT)
    with pytest.raises(RiskResourceNotFound):
        await risk.get_risk_score(GetRiskScoreParams("store", "S99"), CONTEXT)


async def test_data_versions_are_listed_newest_first_and_filtered_by_state(reader: FakeRiskReader) -> None:
    risk = build_risk_use_cases(shipped_model(), reader)
    for _ in range(3):
        await reader.publish({})
    first = await risk.list_data_versions(ListDataVersionsParams((), Page(3)), CONTEXT)
    second = await risk.list_data_versions(ListDataVersionsParams((), Page(3, first.next_page_token)), CONTEXT)
    assert [v.data_version for v in first.data_versions + second.data_versions] == [4, 3, 2, 1]
    assert second.next_page_token == ""
    newest = await risk.list_data_versions(ListDataVersionsParams((DataVersionState.PUBLISHED,), Page(3)), CONTEXT)
    assert [(v.data_version, v.active) for v in newest.data_versions] == [(4, True)]


async def test_the_model_is_described_before_anything_is_published() -> None:
    risk = build_risk_use_cases(shipped_model(), FakeRiskReader())
    found = await risk.describe_model(DescribeModelParams(), CONTEXT)
    assert found.stamp is None
    assert {m.name for m in found.metrics} == set(risk.model.metrics)
    with pytest.raises(DataVersionNotFound):
        await risk.list_anomalies(ListAnomaliesParams("", Page(5)), CONTEXT)


async def test_the_description_shrinks_to_what_combines(risk: RiskUseCases) -> None:
    found = await risk.describe_model(DescribeModelParams(metrics=("early_claims",)), CONTEXT)
    assert {d.name for d in found.dimensions} == {"channel", "store", "month", "quarter", "year"}
    by_shop = await risk.describe_model(DescribeModelParams(dimensions=("repair_shop",)), CONTEXT)
    assert {m.name for m in by_shop.metrics} >= {"shop_cost_ratio"}
    assert "loss_ratio" not in {m.name for m in by_shop.metrics}


def evidence_row(kind: str, entity_id: str, reason: str, rank: int, claim_id: str) -> dict[str, Any]:
    """A first claim where `reason` is not REPEAT."""
    return {
        "entity_kind": kind, "entity_id": entity_id, "reason": reason, "rank": rank, "claim_id": claim_id,
        "policy_id": f"P-{claim_id}", "month": MONTH, "part_code": "screen", "fault_code": "DROP",
        "incurred_minor": 90_000 - rank, "expected_minor": 30_000, "days_since_start": 12,
        "days_since_previous_claim": 9 if reason == "REPEAT" else -1,
    }  # fmt: skip


async def test_a_flagged_entity_names_the_claims_to_open_in_their_order_and_others_none() -> None:
    told = [
        evidence_row("repair_shop", "R19", "REPEAT", 2, "K2"), evidence_row("repair_shop", "R19", "REPEAT", 1, "K1"),
        evidence_row("repair_shop", "R19", "COST", 1, "K3"), evidence_row("repair_shop", "R00", "COST", 1, "K4"),
        evidence_row("store", "R19", "COST", 1, "K5"), evidence_row("store", "S39", "EARLY", 1, "K6"),
    ]  # fmt: skip
    risk = build_risk_use_cases(shipped_model(), FakeRiskReader({**portfolio(), "claim_evidence": told}))
    page = await risk.list_anomalies(ListAnomaliesParams("", Page(100), include_unflagged=True), CONTEXT)
    found = {anomaly.screened.entity_id: anomaly.claims_to_open for anomaly in page.anomalies}
    assert [claim.claim_id for claim in found["R19"]["repeat_claims"]] == ["K1", "K2"]
    assert [claim.claim_id for claim in found["R19"]["cost_against_peers"]] == ["K3"]
    [early] = found["S39"]["early_claims"]
    assert (early.incurred, early.expected, early.days_since_previous_claim) == (89_999, 30_000, None)
    assert found["R19"]["repeat_claims"][0].days_since_previous_claim == 9
    assert not any(found["R00"].values())
    # Which of many claims make them many, nobody can tell.
    assert "claim_frequency" not in found["S39"]


async def test_a_shop_is_judged_by_its_faults_over_all_months() -> None:
    told = [
        {"repair_shop_id": f"R{i:02d}", "fault_code": fault, "month": date(2026, month, 1), "claims": claims}
        for i in range(20) for month in (1, 2)
        for fault, claims in (("DROP", 20 if i != 7 else 2), ("LIQUID", 5 + i % 2 if i != 7 else 23))
    ]  # fmt: skip
    risk = build_risk_use_cases(shipped_model(), FakeRiskReader({**portfolio(), "repair_shop_fault": told}))
    page = await risk.list_anomalies(ListAnomaliesParams("repair_shop", Page(50), entity_ids=("R07",)), CONTEXT)
    [anomaly] = page.anomalies
    assert anomaly.screened.indicators[0].name == "fault_concentration"
    assert anomaly.screened.indicators[0].observed == 46


async def test_an_anomaly_tells_which_claims_to_look_at_and_what_was_expected_of_them() -> None:
    rows = {name: list(table) for name, table in portfolio().items()}
    store, shop = rows["store_month"][39], rows["repair_shop_month"][19]
    quiet = {"claims": 2, "incurred_minor": 60_000, "claims_within_30_days": 0, "exposure_years": 20.0}
    rows["store_month"].append({**store, **quiet, "month": date(2025, 12, 1)})
    rows["repair_shop_month"].append({**shop, "part_code": "battery", "repeat_claims": 1})
    risk = build_risk_use_cases(shipped_model(), FakeRiskReader(rows))
    page = await risk.list_anomalies(ListAnomaliesParams("", Page(50)), CONTEXT)
    found = {anomaly.screened.entity_id: anomaly for anomaly in page.anomalies}
    [busy, *_] = found["S39"].places["claim_frequency"]
    assert busy.dimensions == {"month": MONTH.isoformat()}
    assert busy.observed == store["claims"]
    frequency = next(one for one in found["S39"].screened.indicators if one.name == "claim_frequency")
    assert busy.expected == pytest.approx(frequency.expected * 100 / 120)
    [place] = found["R19"].places["repeat_claims"]
    assert place.dimensions == {"part": "screen", "month": MONTH.isoformat()}
    assert place.observed == 25
