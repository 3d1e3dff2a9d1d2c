"""`sluice risk groups`: over a published data version, and over a table with planted groups."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from sluice_server.cli.main import app
from tests.integration.risk.published import publish
from tests.unit.risk.groups_portfolio import PLANTED_HIGH, PLANTED_LOW, rating_cells


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["risk", "groups", *(str(one) for one in arguments)])


@pytest.fixture
async def stores(tmp_path: Path) -> list[object]:
    await publish(f"sqlite+aiosqlite:///{tmp_path}/risk.db", {"rating_cell": rating_cells()})
    return ["--store", tmp_path / "sluice.db", "--risk-store", tmp_path / "risk.db"]


def conditions(group: dict[str, Any]) -> dict[str, str]:
    return {one["dimension"]: one["value"] for one in group["judged"]["conditions"]}


def test_a_published_version_is_searched_and_stored_once(stores: list[object]) -> None:
    first = run("--data-version", 0, *stores, "--json")
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    accepted = [conditions(one) for one in found["accepted"]]
    assert PLANTED_HIGH in accepted
    assert PLANTED_LOW in accepted
    assert found["permuted"]["accepted"] == 0
    assert found["run"]["stamp"]["data_version"] == 1
    assert run("--data-version", 1, *stores, "--json").stdout == first.stdout
    readable = run("--data-version", 1, *stores).output
    assert "SEARCH" in readable
    assert "permuted claims" in readable


def test_an_unknown_version_and_a_file_beside_a_version_are_refused(stores: list[object], tmp_path: Path) -> None:
    unknown = run("--data-version", 9, *stores, "--json")
    assert (unknown.exit_code, json.loads(unknown.stdout)["error"]) == (1, "DATA_VERSION_NOT_FOUND")
    (tmp_path / "x.csv").write_text("a\n1\n")
    assert run(tmp_path / "x.csv", "--data-version", 1, *stores).exit_code == 2
    assert run(tmp_path / "x.csv").exit_code == 2


def test_a_table_with_planted_groups_gives_them_and_an_empty_control_at_every_seed(tmp_path: Path) -> None:
    rows = rating_cells()
    path = tmp_path / "cells.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    options = ["--outcome", "claims", "--exposure", "exposure_years"]
    options += [part for name in ("brand", "region", "category", "tier") for part in ("--dimension", name)]
    for seed in (1, 2, 3):
        result = run(path, *options, "--seed", seed, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        accepted = [{one["dimension"]: one["value"] for one in group["conditions"]} for group in found["accepted"]]
        assert PLANTED_HIGH in accepted, seed
        assert PLANTED_LOW in accepted, seed
        assert found["permuted"]["accepted"] == 0, seed
