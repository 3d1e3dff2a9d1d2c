"""The active model on the newest data: fitted on rating cells, validated again, a warning for as long as it drifts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sluice_server.cli.main import app
from sluice_server.domain.context import SystemClock
from sluice_server.domain.errors import InvalidInput, RiskResourceNotFound
from sluice_server.domain.risk.pricing.read import GetModelValidation
from sluice_server.domain.risk.pricing.validate_active import WARNING, ValidateActiveModel
from sluice_server.runtime.model_validation import ModelValidationWorker
from sluice_server.store import SqlStore, open_store
from tests.integration.risk.published import publish
from tests.integration.risk.test_models_store import ZHANG, put_to_use, register
from tests.unit.risk.fake_reader import FakeRiskReader
from tests.unit.risk.models.rating_cells import published_cells

FACTORS = ["--factor", "category", "--factor", "region"]


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    async with open_store(store_url) as opened:
        yield opened


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["risk", *map(str, arguments)])


async def fitted_on_cells(store: SqlStore, store_url: str, folder: Path) -> None:
    """Fits by the command line on the first data version, then puts the model to use."""
    risk = f"sqlite+aiosqlite:///{folder}/risk.db"
    await publish(risk, published_cells())
    options = ["--data-version", "active", "--risk-store", risk, *FACTORS, "--no-challenger", "--store", store_url]
    result = await asyncio.to_thread(run, "fit", *options, "--currency", "CNY", "--reason", "quarterly", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["data_version"], answer["model_version"], answer["split"]["kind"]) == (1, 1, "groups_and_time")
    async with store.read() as uow:
        model = await uow.models.get(1)
    assert model is not None
    assert model.content.data is not None
    assert sum(cell.premium_minor for cell in model.content.portfolio) > 0
    await put_to_use(store, model)


async def alarms_of(store: SqlStore) -> list[tuple[str, bool]]:
    async with store.read() as uow:
        due = await uow.alarms.due(now=SystemClock().now(), limit=10)
    return [(one.alarm.name, one.alarm.resolved_at is not None) for one in due]


async def test_drift_raises_one_warning_which_ends_when_the_model_fits_again(
    store: SqlStore, store_url: str, tmp_path: Path
) -> None:
    await fitted_on_cells(store, store_url, tmp_path)
    reader = FakeRiskReader(published_cells())
    validate = ValidateActiveModel(store, reader, SystemClock())

    fits = await validate()
    assert fits.validation.passed, fits.validation.checks
    assert (fits.model_version, fits.validation.number) == (1, 2)
    assert await alarms_of(store) == []
    assert len(fits.validation.lift) >= 4

    await reader.publish(published_cells(2, drift=2.0))
    drifts = await validate()
    failed = {check.name for check in drifts.validation.checks if not check.passed}
    assert "segments" in failed
    assert "category phone" in next(c.explanation for c in drifts.validation.checks if c.name == "segments")
    async with store.read() as uow:
        [alert] = await uow.alerts.open_of(WARNING)
    assert "category phone" in alert.summary.en
    assert [resolved for _, resolved in await alarms_of(store)] == [False]
    await validate()
    async with store.read() as uow:
        assert [one.alert_id for one in await uow.alerts.open_of(WARNING)] == [alert.alert_id]

    await reader.publish(published_cells(3))
    assert (await validate()).validation.passed
    async with store.read() as uow:
        assert await uow.alerts.open_of(WARNING) == []
    assert [resolved for _, resolved in await alarms_of(store)] == [True]
    # Everything is kept with the version, the newest shown by itself.
    _, newest = await GetModelValidation(store)(1, None, ZHANG)
    assert (newest.number, newest.passed, newest.data and newest.data.data_version) == (5, True, 3)
    _, third = await GetModelValidation(store)(1, 3, ZHANG)
    assert not third.passed


async def test_the_worker_validates_each_data_version_once(store: SqlStore, store_url: str, tmp_path: Path) -> None:
    reader = FakeRiskReader(published_cells())
    worker = ModelValidationWorker(ValidateActiveModel(store, reader, SystemClock()))
    assert await worker.round() is False  # There is no active model.
    await fitted_on_cells(store, store_url, tmp_path)
    for _ in range(3):
        await worker.round()
    _, newest = await GetModelValidation(store)(1, None, ZHANG)
    assert newest.number == 1  # The model was validated on this data version when it was fitted.
    await reader.publish(published_cells(2))
    for _ in range(3):
        await worker.round()
    _, newest = await GetModelValidation(store)(1, None, ZHANG)
    assert newest.number == 2


async def test_what_cannot_be_validated_says_why_and_stores_nothing(store: SqlStore) -> None:
    validate = ValidateActiveModel(store, FakeRiskReader(published_cells()), SystemClock())
    with pytest.raises(RiskResourceNotFound, match="no pricing model is active"):
        await validate()
    await put_to_use(store, await register(store))  # Its factors are of a file.
    with pytest.raises(InvalidInput, match="no factor of the rating cells; there are: product_code"):
        await validate()
    # A worker says it once and goes on.
    assert await ModelValidationWorker(validate).round() is False
    _, newest = await GetModelValidation(store)(1, None, ZHANG)
    assert newest.number == 1


async def test_the_command_validates_on_the_stores(sqlite_url: str, tmp_path: Path) -> None:
    async with open_store(sqlite_url) as store:
        await fitted_on_cells(store, sqlite_url, tmp_path)
    options: list[Any] = ["--store", sqlite_url, "--risk-store", tmp_path / "risk.db", "--json"]
    fits = await asyncio.to_thread(run, "validate", *options)
    assert fits.exit_code == 0, fits.output
    answer = json.loads(fits.stdout)
    assert (answer["model_version"], answer["number"], answer["drift"], answer["data_version"]) == (1, 2, False, 1)
    assert {check["name"] for check in answer["checks"]} == {"level", "segments", "orders", "stability"}
    await publish(f"sqlite+aiosqlite:///{tmp_path}/risk.db", published_cells(2, drift=2.5))
    drifts = await asyncio.to_thread(run, "validate", *options)
    assert drifts.exit_code == 1
    assert json.loads(drifts.stdout)["drift"] is True
    assert "failed" in (await asyncio.to_thread(run, "validate", *options[:-1])).output


def test_fit_wants_a_file_or_a_data_version_and_names_what_does_not_go_with_it(tmp_path: Path) -> None:
    assert run("fit", *FACTORS).exit_code == 2
    wrong = run("fit", "--data-version", "soon", *FACTORS, "--json")
    assert [one["field"] for one in json.loads(wrong.stdout)["violations"]] == ["data-version"]
    both = run("fit", "--data-version", "1", "--claims", "claims", "--as-of", "2026-01-01", *FACTORS, "--json")
    assert [one["field"] for one in json.loads(both.stdout)["violations"]] == ["claims", "as-of"]
    nothing = run("fit", "--data-version", "1", "--risk-store", tmp_path / "none.db", *FACTORS, "--json")
    assert nothing.exit_code == 1
    assert json.loads(nothing.stdout)["error"] == "DATA_VERSION_NOT_FOUND"
