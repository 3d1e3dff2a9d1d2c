"""From a table on disk to a quoted premium: `sluice risk fit --store`, then the calls of RiskQuery."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from sluice.client import AsyncSluice, errors
from sluice.risk.v1 import model_versions_pb2, pricing_pb2
from sluice.type.v1 import money_pb2
from sluice_server.cli.main import app
from tests.support.risk_server import risk_room
from tests.unit.risk.pricing.fitted import policies


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A store with one model version, fitted by the command line."""
    table, premium = policies()
    assert table.amount is not None
    columns: dict[str, Any] = {"claims": table.claims, "years": table.exposure, "amount": table.amount, "paid": premium}
    columns |= {"device": table.group, "month": table.time}
    for name in ("device_model", "channel_id"):
        column: Any = table.factors[name]
        columns[name] = [column.levels[i] for i in column.codes]
    age: Any = table.factors["age"]
    parquet.write_table(pa.table({**columns, "age": age.values}), tmp_path / "policies.parquet")
    store = tmp_path / "sluice.db"
    arguments = ["risk", "fit", tmp_path / "policies.parquet", "--claims", "claims", "--exposure", "years"]
    arguments += ["--factor", "device_model", "--factor", "channel_id", "--factor", "age:number", "--amount", "amount"]
    arguments += ["--group", "device", "--time", "month", "--no-challenger", "--store", store, "--premium", "paid"]
    arguments += ["--currency", "CNY", "--reason", "quarterly", "--actor", "zhang.san", "--json"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["model_version"] == 1
    return store


@pytest.fixture
async def clients(database: Path) -> AsyncIterator[tuple[AsyncSluice, AsyncSluice]]:
    """Two people at a server of the risk room."""
    async with (
        risk_room(f"sqlite+aiosqlite:///{database}", f"sqlite+aiosqlite:///{database.parent}/risk.db") as room,
        room.client("zhang.san") as one,
        room.client("li.si") as other,
    ):
        yield one, other


async def test_a_model_is_proposed_activated_by_another_and_quotes(clients: tuple[AsyncSluice, AsyncSluice]) -> None:
    zhang, li = clients
    [model] = (await zhang.risk.ListModelVersions(model_versions_pb2.ListModelVersionsRequest())).model_versions
    assert model.state == model_versions_pb2.MODEL_STATE_VALIDATED
    assert [factor.name for factor in model.factors] == ["device_model", "channel_id", "age"]
    assert model.factors[0].levels[0].relativity == 1
    assert model.factors[0].levels[1].HasField("interval")

    validation = await zhang.risk.GetModelValidation(model_versions_pb2.GetModelValidationRequest(model_version=1))
    assert validation.passed
    assert validation.checks[0].name == "leakage_groups"
    assert {figure.data_set for figure in validation.figures} >= {"learn", "held_out", "held_out_time"}
    assert len(validation.lift) == 10

    with pytest.raises(errors.NotFound) as nothing:
        await zhang.risk.QuotePremium(pricing_pb2.QuotePremiumRequest(product_code="SCREEN"))
    assert nothing.value.reason == "RISK_RESOURCE_NOT_FOUND"

    proposal = await zhang.risk.ProposePrice(
        pricing_pb2.ProposePriceRequest(model_version=1, loading=0.25, maximum_change=10, reason="quarterly")
    )
    assert proposal.gate_passed
    assert proposal.expected_loss_ratio == pytest.approx(0.8, abs=0.08)
    assert sum(band.share for band in proposal.dislocation) == pytest.approx(1)
    assert not proposal.dislocation[0].HasField("change_at_least")
    activation = model_versions_pb2.ActivateModelRequest(
        model_version=1, etag=model.etag, proposal_id=proposal.proposal_id, reason="agreed"
    )
    with pytest.raises(errors.PermissionDenied):
        await zhang.risk.ActivateModel(activation)
    active = await li.risk.ActivateModel(activation)
    assert (active.state, active.activated_by) == (model_versions_pb2.MODEL_STATE_ACTIVE, "li.si")

    quote = await zhang.risk.QuotePremium(
        pricing_pb2.QuotePremiumRequest(
            product_code="SCREEN",
            device_model_id="m3",
            device_price=money_pb2.Money(amount_minor=500_000, currency_code="CNY"),
            cover_days=730,
            factors={"age": "2"},
        )
    )
    assert [step.factor for step in quote.steps] == ["base", "device_model", "channel_id", "age", "cover", "loading"]
    assert (quote.steps[1].level, quote.steps[2].level) == ("m3", "(portfolio mean)")
    product = 1.0
    for step in quote.steps:
        product *= step.relativity
    assert quote.premium.amount_minor == pytest.approx(product, abs=0.51)
    assert quote.premium.amount_minor == pytest.approx(1.25 * quote.expected_claims.amount_minor, abs=2)
    assert (
        quote.expected_claims_interval.lower < quote.expected_claims.amount_minor < quote.expected_claims_interval.upper
    )


async def test_bad_requests_name_every_wrong_field(clients: tuple[AsyncSluice, AsyncSluice]) -> None:
    zhang, _ = clients
    cases: list[tuple[Any, set[str]]] = [
        (
            zhang.risk.QuotePremium(
                pricing_pb2.QuotePremiumRequest(device_price=money_pb2.Money(), cover_days=-1, model_version=-1)
            ),
            {"model_version", "product_code", "device_price.currency_code", "device_price.amount_minor", "cover_days"},
        ),
        (
            zhang.risk.QuotePremium(
                pricing_pb2.QuotePremiumRequest(
                    product_code="X", model_version=1, factors={"colour": "red", "age": "x"}
                )
            ),
            {"factors.colour", "factors.age"},
        ),
        (
            zhang.risk.ProposePrice(pricing_pb2.ProposePriceRequest(loading=-1, maximum_change=0, maximum_share=1)),
            {"model_version", "loading", "maximum_change", "maximum_share", "reason"},
        ),
        (zhang.risk.ActivateModel(model_versions_pb2.ActivateModelRequest()), {"model_version", "etag", "reason"}),
        (
            zhang.risk.ListModelVersions(
                model_versions_pb2.ListModelVersionsRequest(states=[99], target=99, page_size=-1)  # type: ignore[list-item,arg-type]
            ),
            {"states[0]", "target", "page_size"},
        ),
        (
            zhang.risk.GetModelValidation(
                model_versions_pb2.GetModelValidationRequest(model_version=-1, validation=-1)
            ),
            {"model_version", "validation"},
        ),
    ]
    for call, fields in cases:
        with pytest.raises(errors.InvalidArgument) as refused:
            await call
        assert {violation.field for violation in refused.value.violations} == fields
