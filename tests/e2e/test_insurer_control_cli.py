"""The terminal's commands for insurers, incidents and breakers, against a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sluice_server.cli.main import app
from tests.e2e.test_insurer_control import served
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import LI, WANG, BreakerWorld, a_breaker_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[BreakerWorld]:
    async with a_breaker_world(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}") as made:
        await made.know(A, B, C)
        yield made


@pytest.fixture
async def address(world: BreakerWorld) -> AsyncIterator[str]:
    async with served(world) as port:
        yield f"127.0.0.1:{port}"


async def sluice(*arguments: str) -> Result:
    """The command in a thread, so that the server of the same process can answer it."""
    return await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, list(arguments))


async def test_the_way_back_from_a_terminal(world: BreakerWorld, address: str) -> None:
    await world.submit(20)
    incident_id = await world.break_a()
    why = ("--reason", "drill", "--address", address)

    listed = await sluice("insurer", "list", "--address", address)
    assert "OPEN" in listed.stdout
    assert incident_id in listed.stdout
    told = ("--contact", "night desk", "--evidence", "ticket 42")
    assert "CONFIRMED" in (await sluice("insurer", "confirm", A, *told, "--actor", WANG, *why)).stdout
    retried = await sluice("insurer", "retry", A, "--actor", WANG, *why)
    assert "6 retried, 6 insured, 0 rejected, 0 left" in retried.stdout
    refused = await sluice("insurer", "restore", A, "--actor", WANG, *why)
    assert refused.exit_code == 1
    assert "second person" in refused.stderr
    restored = await sluice("insurer", "restore", A, "--actor", LI, *why)
    assert "RAMPING, 10 % of its share admitted" in restored.stdout

    shown = (await sluice("incident", "show", incident_id, "--address", address)).stdout
    for expected in ("6 affected", "ticket 42", "order retried (6 orders)", "traffic restored", LI):
        assert expected in shown
    printed = (await sluice("incident", "list", "--address", address, "--json")).stdout
    # The server of the same process may log to the same place before.
    as_json = json.loads(printed[printed.index("{\n") :])
    assert as_json["incidents"][0]["incident_id"] == incident_id


async def test_retries_that_fail_have_an_exit_code_of_their_own(world: BreakerWorld, address: str) -> None:
    await world.break_a()
    await world.confirm()
    world.a.next_answers.append("fail")
    failed = await sluice("insurer", "retry", A, "--actor", WANG, "--reason", "drill", "--address", address)
    assert failed.exit_code == 2
    assert "confirm the recovery anew" in failed.stderr


async def test_a_file_is_replayed_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "outcomes.csv"
    rows = [f"{n},{'TECHNICAL_FAILURE' if n >= 50 else 'SUCCESS'}" for n in range(80)]
    file.write_text("at,outcome\n" + "\n".join(rows) + "\n")
    answer = json.loads((await sluice("breaker", "replay", str(file), "--json")).stdout)
    assert set(answer) == {"trips", "orders", "wrongly_diverted"}
    assert answer["orders"] == 80
    assert answer["wrongly_diverted"] == 0
    (trip,) = answer["trips"]
    assert trip == {"at": 55.0, "insurer": "", "product_line": "", "evidence": ["SEQUENTIAL"], "orders_before": 56}

    tuned = ("--set", "mean_orders_between_false_cuts=1000", "--json")
    hasty = json.loads((await sluice("breaker", "replay", str(file), *tuned)).stdout)
    assert hasty["trips"][0]["at"] < 55.0
    (tmp_path / "draft.yaml").write_text("mean_orders_between_false_cuts: 1000\nramp_steps_basis_points: [5000]\n")
    drafted = ("--policy", str(tmp_path / "draft.yaml"), "--json")
    assert json.loads((await sluice("breaker", "replay", str(file), *drafted)).stdout) == hasty
    assert "24 failing orders saved" in (await sluice("breaker", "replay", str(file))).stdout


async def test_a_line_that_never_answers_is_named_in_the_replay(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    rows = [
        f"{n},{A},{line},{outcome},{latency}"
        for n in range(60)
        for line, outcome, latency in (("tv", "PENDING", ""), ("car", "SUCCESS", "250"))
    ]
    file.write_text("at,insurer,product_line,outcome,latency_ms\n" + "\n".join(rows) + "\n")
    answer = json.loads((await sluice("breaker", "replay", str(file), "--json")).stdout)
    (trip,) = answer["trips"]
    assert (trip["at"], trip["insurer"], trip["product_line"], trip["orders_before"]) == (35.0, A, "tv", 36)
    assert (answer["orders"], answer["wrongly_diverted"]) == (120, 0)


async def test_times_of_a_file_are_answered_as_it_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "minutes.csv"
    rows = [
        f"2026-03-01T10:{minute:02d}:00Z,{A},{outcome},{count}"
        for minute in range(20)
        for outcome, count in (("SUCCESS", 95 if minute < 15 else 5), ("UNKNOWN", 5 if minute < 15 else 95))
    ]
    file.write_text("at,insurer,outcome,count\n" + "\n".join(rows) + "\n")
    answer = json.loads((await sluice("breaker", "replay", str(file), "--json")).stdout)
    assert [(trip["at"], trip["insurer"]) for trip in answer["trips"]] == [("2026-03-01T10:15:00Z", A)]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("when,outcome\n1,SUCCESS\n", (), "lacks at"),
        ("at,outcome\n1,WELL\nnever,SUCCESS\n", (), "line 3"),
        ("at,outcome,count\n1,SUCCESS,-2\n", (), "count"),
        ("at,outcome,count\n1,SUCCESS,many\n", (), "'many' is not a whole number"),
        ("at,outcome,latency_ms\n1,SUCCESS,1e12\n", (), "latency_ms: must be from 0"),
        ("at,outcome\n253402300799,PENDING\n", (), "between the years 1900 and 9000"),
        ("at,outcome\n1,SUCCESS\udcff\n", (), "line 2: outcome"),
        ("at,outcome\n1,SUCCESS\n", ("--set", "failure_rate={"), "'{' is not a value"),
        ("at,outcome,latency_ms\n1,SUCCESS,fast\n", (), "latency_ms: 'fast' is not a number"),
        ("at,outcome\n1,SUCCESS\n2026-03-01T10:00:00Z,SUCCESS\n", (), "in one file"),
        ("at,outcome\n1,SUCCESS\n", ("--set", "failure_rate=-1"), "failure_rate"),
        ("at,outcome\n1,SUCCESS\n", ("--set", "minimum_volume=many"), "a whole number"),
        ("at,outcome\n1,SUCCESS\n", ("--set", "colour=red"), "not a field"),
    ],
)
async def test_wrong_files_and_policies_are_refused(
    tmp_path: Path, text: str, options: tuple[str, ...], message: str
) -> None:
    file = tmp_path / "outcomes.csv"
    file.write_bytes(text.encode(errors="surrogateescape"))
    refused = await sluice("breaker", "replay", str(file), *options)
    assert refused.exit_code == 2
    assert message in refused.stderr


async def test_the_design_of_the_sequential_test_is_shown() -> None:
    answer = json.loads((await sluice("breaker", "design", "--json")).stdout)
    assert answer["failures_in_a_row"] == 6
    assert answer["mean_orders_between_false_cuts"] >= 1e9
    assert "6 failures in a row" in (await sluice("breaker", "design")).stdout
    assert (await sluice("breaker", "design", "--p0", "0.9", "--p1", "0.1")).exit_code == 2
