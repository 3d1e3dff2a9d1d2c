"""``sluice risk`` on files: CSV and Parquet, tables and JSON, and what it refuses."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from typer.testing import CliRunner, Result

from sluice_server.cli.main import app
from sluice_server.domain.risk.models.columns import NumberColumn, TextColumn
from tests.unit.risk.any_table.claims_table import ABNORMAL, claims
from tests.unit.risk.models.simulated import MODEL, portfolio

FIT = [
    "--claims",
    "claims",
    "--exposure",
    "exposure",
    "--factor",
    "model",
    "--factor",
    "channel",
    "--factor",
    "age:number",
]


def written(columns: dict[str, Any], path: Path) -> Path:
    table = pa.table(columns)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path)
    return path


def policies(rows: int = 4_000) -> dict[str, Any]:
    table = portfolio(rows)
    assert table.group is not None
    assert table.time is not None
    days = [date(2025, 1, 1) + timedelta(days=int(30 * month)) for month in table.time]
    columns: dict[str, Any] = {"claims": table.claims.astype(int), "exposure": table.exposure, "amount": table.amount}
    for name, column in table.factors.items():
        if isinstance(column, TextColumn):
            columns[name] = [column.levels[i] for i in column.codes]
        elif isinstance(column, NumberColumn):
            columns[name] = column.values
    return {**columns, "device": [f"d{i}" for i in table.group], "day": days}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["risk", *map(str, arguments)])


def answer(*arguments: str | Path) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_fit_gives_deviances_relativities_lift_and_the_challenger(tmp_path: Path, suffix: str) -> None:
    path = written(policies(), tmp_path / f"policies.{suffix}")
    found = answer("fit", path, *FIT, "--group", "device", "--time", "day", "--amount", "amount")
    assert found["split"]["kind"] == "groups_and_time"
    assert found["leakage"]["passed"] is True
    held_out = found["deviances"]["held_out"]
    assert held_out["glm"] < held_out["null"]
    assert held_out["challenger"] < held_out["null"]
    levels = {one["level"]: one for one in found["frequency"]["relativities"] if one["factor"] == "model"}
    assert levels["m3"]["relativity"] / levels["m0"]["relativity"] == pytest.approx(MODEL["m3"], rel=0.25)
    assert len(found["lift"]) == 10
    assert found["severity"]["large_claims"]["loading"] >= 1
    assert {one["name"] for one in found["checks"]} >= {"leakage_groups", "level", "segments", "stability"}
    assert found["passed"] is True


def test_fit_prints_a_table_for_people(tmp_path: Path) -> None:
    path = written(policies(), tmp_path / "policies.parquet")
    result = run("fit", path, *FIT, "--group", "device", "--no-challenger")
    assert result.exit_code == 0
    assert "the model passes" in result.output


def test_fit_refuses_a_split_that_repeats_rows_and_says_so_in_json_too(tmp_path: Path) -> None:
    columns = policies(2_000)
    doubled = {name: list(values) + list(values)[:200] for name, values in columns.items()}
    path = written({**doubled, "side": ["learn"] * 2_000 + ["test"] * 200}, tmp_path / "policies.parquet")
    refused = run("fit", path, *FIT, "--split", "side", "--json")
    assert refused.exit_code == 1
    found = json.loads(refused.stdout)
    assert found["error"] == "LEAKAGE_FOUND"
    assert [check["name"] for check in found["checks"] if not check["passed"]] == ["factor_tuples", "whole_records"]
    forced = run("fit", path, *FIT, "--split", "side", "--allow-leakage", "--no-challenger", "--json")
    assert forced.exit_code == 1
    assert json.loads(forced.stdout)["passed"] is False


def test_fit_develops_late_claims_by_a_delay_table(tmp_path: Path) -> None:
    path = written(policies(2_000), tmp_path / "policies.parquet")
    delays = tmp_path / "delays.csv"
    delays.write_text("delay_days,share\n30,0.5\n90,1.0\n")
    options: list[str | Path] = [
        "--time",
        "day",
        "--delays",
        delays,
        "--as-of",
        "2026-12-25",
        "--no-challenger",
        "--json",
    ]
    # Hardly any claim of the last weeks can be known, and yet all are there: the developed model expects too few.
    result = run("fit", path, *FIT, *options)
    found = json.loads(result.stdout)
    plain = json.loads(run("fit", path, *FIT, "--time", "day", "--no-challenger", "--json").stdout)
    assert found["figures"][1]["exposure"] < plain["figures"][1]["exposure"]
    assert run("fit", path, *FIT, "--delays", delays).exit_code == 2


def test_fit_names_every_wrong_column_and_option_at_once(tmp_path: Path) -> None:
    path = written(policies(100), tmp_path / "policies.csv")
    result = run("fit", path, "--claims", "nope", "--exposure", "gone", "--factor", "age:foo", "--json")
    assert result.exit_code == 2
    fields = [one["field"] for one in json.loads(result.stdout)["violations"]]
    assert fields == ["factor 'age:foo'", "nope", "gone"]


def test_anomalies_flags_the_planted_shops_with_reasons(tmp_path: Path) -> None:
    rows = claims(ABNORMAL)
    assert rows.peers is not None
    assert rows.day is not None
    path = written(
        {
            "shop": [rows.entity.levels[i] for i in rows.entity.codes],
            "amount": rows.amount,
            "day": [date(2025, 1, 1) + timedelta(days=int(day)) for day in rows.day],
            "part": [rows.peers["part"].levels[i] for i in rows.peers["part"].codes],
            "device": rows.subject,
        },
        tmp_path / "claims.csv",
    )
    options = ["--entity", "shop", "--amount", "amount", "--time", "day", "--peer", "part", "--subject", "device"]
    found = answer("anomalies", path, *options)
    assert {one["entity"] for one in found["entities"] if one["flagged"]} == {f"s{shop:03}" for shop in ABNORMAL}
    assert set(found["entities"][0]) >= {"volume", "expected", "observed", "score", "p", "q", "flagged", "reasons"}
    assert "6 flagged" in run("anomalies", path, *options).output


def test_rows_without_an_entity_and_a_time_in_seconds_do_no_harm(tmp_path: Path) -> None:
    rows = claims(ABNORMAL)
    assert rows.day is not None
    shops: list[Any] = [rows.entity.levels[i] for i in rows.entity.codes]
    columns = {
        "shop": [*shops, *[None] * 900, "s001"],
        "amount": [*rows.amount, *[1e6] * 900, None],
        "second": [*(rows.day * 86_400 + 1.7e9), *[1.71e9] * 901],
    }
    path = written(columns, tmp_path / "claims.parquet")
    found = answer("anomalies", path, "--entity", "shop", "--amount", "amount", "--time", "second")
    assert (found["rows"], found["rows_without_entity"], found["rows_without_amount"]) == (len(shops) + 901, 900, 1)
    assert found["screened"] == 120
    assert "s055" in {one["entity"] for one in found["entities"] if one["flagged"]}


def test_rate_gives_raw_and_adjusted_side_by_side(tmp_path: Path) -> None:
    path = written(policies(), tmp_path / "policies.csv")
    options = ["--entity", "model", "--exposure", "exposure", "--claims", "claims", "--mix", "channel"]
    found = {one["entity"]: one for one in answer("rate", path, *options)["entities"]}
    assert found["m3"]["rating"] == "E"
    assert found["m2"]["rating"] == "A"
    assert found["m3"]["lower"] < found["m3"]["adjusted"] < found["m3"]["upper"]
    assert found["m3"]["interval"] == {"lower": found["m3"]["lower"], "upper": found["m3"]["upper"], "level": 0.95}
    for figure in ("raw", "adjusted"):
        interval = found["m3"][f"{figure}_interval"]
        assert interval["lower"] < found["m3"][figure] < interval["upper"]
    assert run("rate", path, *options, "--amount", "amount").exit_code == 2
    assert run("rate", path, *options).exit_code == 0


def test_groups_gives_accepted_groups_and_the_permuted_control(tmp_path: Path) -> None:
    path = written(policies(), tmp_path / "policies.parquet")
    dimensions = [part for name in ("model", "channel", "age") for part in ("--dimension", name)]
    options = ["--outcome", "claims", "--exposure", "exposure", *dimensions, "--seed", "1"]
    found = answer("groups", path, *options)
    assert found["accepted"][0]["group"] in {"model = m2", "model = m3"}
    assert found["accepted"][0]["effect_interval"]["lower"] > 0
    assert found["permuted"]["accepted"] == 0
    assert "shuffled outcomes" in run("groups", path, *options).output


def test_alerts_says_when_a_rule_would_have_fired(tmp_path: Path) -> None:
    days = [f"2026-01-{day:02}" for day in range(1, 11)]
    values = [0.5, 0.9, 0.9, 0.9, 0.78, 0.5, 0.5, 0.95, 0.5, 0.5]
    path = written({"day": days, "ratio": values, "policies": [100] * 10}, tmp_path / "series.csv")
    rule = tmp_path / "rule.yaml"
    rule.write_text("threshold: 0.8\nhysteresis: 0.1\nfor_duration: 2d\nminimum_volume: 50\nseverity: CRITICAL\n")
    options: list[str | Path] = ["--time", "day", "--value", "ratio", "--rule", rule]
    found = answer("alerts", path, *options, "--volume", "policies")
    times = ("2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-06T00:00:00Z")
    assert [(one["start"], one["fired"], one["resolved"]) for one in found["alerts"]] == [times]
    assert (found["fired"], found["nearly"]) == (1, 1)
    assert "fired 1 times" in run("alerts", path, *options, "--volume", "policies").output
    without = run("alerts", path, *options)
    assert without.exit_code == 2
    assert "--volume" in without.output


@pytest.mark.parametrize("text", ["threshold: [1", "- 1", "treshold: 1"])
def test_a_rule_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = written({"day": ["2026-01-01"], "ratio": [0.5]}, tmp_path / "series.csv")
    rule = tmp_path / "rule.yaml"
    rule.write_text(text)
    result = run("alerts", path, "--time", "day", "--value", "ratio", "--rule", rule)
    assert result.exit_code == 2


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("not parquet")
    result = run("rate", path, "--entity", "a", "--exposure", "b", "--claims", "c", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"] == "INVALID_FIELD"
