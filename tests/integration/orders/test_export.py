"""Orders and submissions reach Flink: whole files, at least once, the last line of each being its last state."""

from __future__ import annotations

import fcntl
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from sluice_flink.sql_files import source_tables
from sluice_server.domain.orders.model import OrderState
from sluice_server.runtime import export_files
from sluice_server.runtime.export_files import FileDestination
from sluice_server.runtime.order_export import OrderExportWorker
from tests.integration.orders.world import A, B, World, application, context

COLUMNS = set(source_tables()["orders"].column_names)
SUBMISSION_COLUMNS = set(source_tables()["submissions"].column_names)
"""As the Flink jobs declare them: the contract between the two sides."""


def _lines(directory: Path, kind: str = "orders") -> list[dict[str, Any]]:
    files = sorted((directory / kind).glob("dt=*/*.jsonl"), key=lambda path: path.name)
    return [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]


def _last_states(directory: Path) -> dict[str, str]:
    lines = sorted(_lines(directory), key=lambda line: str(line["updated_at"]))
    return {line["application_id"]: line["state"] for line in lines}


def _submissions(directory: Path) -> list[dict[str, Any]]:
    return [line for line in _lines(directory, "submissions") if line["submission_id"] is not None]


def _signs_of_life(directory: Path) -> list[str]:
    return [line["updated_at"] for line in _lines(directory, "submissions") if line["submission_id"] is None]


def _worker(world: World, directory: Path, **settings: Any) -> OrderExportWorker:
    return OrderExportWorker(world.store, world.clock, FileDestination(directory), **settings)


async def test_a_line_has_the_columns_of_the_source_table(world: World, tmp_path: Path) -> None:
    world[A].script.append("fail")
    await world.submit(application(), context())
    world.clock.move(10)
    await _worker(world, tmp_path).round()
    (line,) = _lines(tmp_path)
    assert set(line) == COLUMNS
    order = await world.get("app-1")
    assert line | {"updated_at": "", "insurer_id": ""} == {
        "application_id": "app-1",
        "product_code": "SCREEN-12",
        "product_line": "screen",
        "insurer_id": "",
        "state": "INSURED",
        "premium_minor": 12_900,
        "currency": "CNY",
        "device_model_id": "model-9",
        "device_category": "phone",
        "store_id": "store-7",
        "channel_id": "online",
        "customer_ref": "cust-1",
        "decided_at": "2026-03-01T09:00:00Z",
        "finished_at": "2026-03-01T09:00:00Z",
        "policy_number": order.policy_number,
        "attempts": 2,
        "technical_failures": 1,
        "rerouted": True,
        "incident_id": None,
        "updated_at": "",
    }
    assert line["insurer_id"] == order.insurer_id
    assert [path.name for path in (tmp_path / "orders").glob("dt=*")] == ["dt=2026-03-01"]


async def test_submissions_have_the_columns_of_their_source_table(world: World, tmp_path: Path) -> None:
    world[A].script.append("fail")
    await world.submit(application(), context())
    world.clock.move(10)
    await _worker(world, tmp_path).round()
    failed, insured = _submissions(tmp_path)
    order = await world.get("app-1")
    assert set(failed) == set(insured) == SUBMISSION_COLUMNS
    assert [line["submission_id"] for line in (failed, insured)] == [s.submission_id for s in order.submissions]
    assert failed | {"submission_id": "", "latency_ms": None, "error_code": ""} == {
        "submission_id": "",
        "application_id": "app-1",
        "insurer_id": A,
        "product_code": "SCREEN-12",
        "product_line": "screen",
        "attempt": 1,
        "kind": "SUBMIT",
        "outcome": "TECHNICAL_FAILURE",
        "settled_outcome": None,
        "error_code": "",
        "latency_ms": None,
        "started_at": "2026-03-01T09:00:00Z",
        "finished_at": "2026-03-01T09:00:00Z",
        "settled_at": None,
        "incident_id": None,
        "updated_at": "2026-03-01T09:00:00.000000Z",
    }
    assert (insured["outcome"], insured["attempt"], insured["insurer_id"]) == ("SUCCESS", 2, order.insurer_id)
    assert isinstance(insured["latency_ms"], int)


async def test_an_unchanged_submission_is_told_in_the_same_words_again(world: World, tmp_path: Path) -> None:
    worker = _worker(world, tmp_path)
    world[A].script.append("insured-but-lost")
    await world.submit(application(), context())
    world.clock.move(4)
    await worker.round()
    (unknown,) = _submissions(tmp_path)
    assert (unknown["outcome"], unknown["settled_outcome"]) == ("UNKNOWN", None)
    await world.settle()
    world.clock.move(4)
    await worker.round()
    order = await world.get("app-1")
    told = _submissions(tmp_path)
    # How the call ended stays; what was found out later is told beside it, by its own moment.
    assert [(line["outcome"], line["settled_outcome"]) for line in told] == [("UNKNOWN", None), ("UNKNOWN", "SUCCESS")]
    assert told[0]["updated_at"] < told[1]["updated_at"]
    assert all(line["updated_at"] <= _exact(order.updated_at) for line in told)


async def test_signs_of_life_say_what_is_told_completely(world: World, tmp_path: Path) -> None:
    worker = _worker(world, tmp_path, batch=2, alive_seconds=10)
    for number in range(3):
        await world.submit(application(f"app-{number}"), context())
    world.clock.move(13)
    assert await worker.round()
    assert _signs_of_life(tmp_path) == []  # More is to come that happened before.
    await worker.round()
    assert _signs_of_life(tmp_path) == ["2026-03-01T09:00:10.000000Z"]
    world.clock.move(5)
    await worker.round()
    assert len(_signs_of_life(tmp_path)) == 1
    world.clock.move(5)
    await worker.round()
    assert _signs_of_life(tmp_path)[1:] == ["2026-03-01T09:00:20.000000Z"]
    assert len(_lines(tmp_path)) == 3
    # A streaming job has no window left to close half an hour after the last order.
    world.clock.move(3600)
    assert not await worker.round()
    assert len(_signs_of_life(tmp_path)) == 2


async def test_orders_go_on_behind_a_sign_of_life(world: World, tmp_path: Path) -> None:
    worker = _worker(world, tmp_path)
    await world.submit(application("first"), context())
    world.clock.move(4)
    await worker.round()
    world.clock.move(20)
    await worker.round()
    await world.submit(application("second"), context())
    world.clock.move(4)
    await _worker(world, tmp_path).round()
    assert _last_states(tmp_path) == {"first": "INSURED", "second": "INSURED"}
    assert len(_lines(tmp_path)) == len(_submissions(tmp_path)) == 2


async def test_what_is_missing_is_null(world: World, tmp_path: Path) -> None:
    world.traffic.cut = set(world.insurers)
    await world.submit(application(), context())
    world.clock.move(10)
    await _worker(world, tmp_path).round()
    (line,) = _lines(tmp_path)
    assert (line["state"], line["insurer_id"], line["finished_at"], line["policy_number"]) == ("PARKED", *[None] * 3)


async def test_every_change_is_exported_and_nothing_without_one(world: World, tmp_path: Path) -> None:
    worker = _worker(world, tmp_path)
    world[A].script.append("insured-but-lost")
    await world.submit(application(), context())
    world.clock.move(4)
    await worker.round()
    await worker.round()
    assert [line["state"] for line in _lines(tmp_path)] == ["ABNORMAL"]
    await world.settle()
    world.clock.move(4)
    await worker.round()
    assert [line["state"] for line in _lines(tmp_path)] == ["ABNORMAL", "INSURED"]


async def test_what_is_too_fresh_waits(world: World, tmp_path: Path) -> None:
    await world.submit(application(), context())
    worker = _worker(world, tmp_path)
    assert not await worker.round()
    assert _lines(tmp_path) == []
    world.clock.move(3.1)
    await worker.round()
    assert len(_lines(tmp_path)) == 1


async def test_batches_and_days_have_files_of_their_own(world: World, tmp_path: Path) -> None:
    for number in range(5):
        await world.submit(application(f"app-{number}"), context())
        world.clock.move(6 * 3600)
    worker = _worker(world, tmp_path, batch=2)
    assert await worker.round()
    assert await worker.round()
    assert not await worker.round()
    assert sorted(line["application_id"] for line in _lines(tmp_path)) == [f"app-{n}" for n in range(5)]
    days = {path.name for path in (tmp_path / "orders").glob("dt=*")}
    assert days == {"dt=2026-03-01", "dt=2026-03-02"}
    names = [path.name for path in (tmp_path / "orders").glob("dt=*/*.jsonl")]
    assert len(names) == len(set(names))
    assert not list((tmp_path / "orders").rglob("*.writing"))


@pytest.mark.parametrize("writes_before", [0, 1, 2])
async def test_a_killed_export_repeats_rather_than_loses(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_before: int
) -> None:
    await world.submit(application("first"), context())
    world.clock.move(4)
    await _worker(world, tmp_path).round()
    await world.submit(application("second"), context())
    world.clock.move(4)

    written = 0
    write_whole = export_files._write_whole

    def dying(path: Path, content: bytes) -> None:
        nonlocal written
        if written == writes_before:
            raise KilledWriting
        written += 1
        write_whole(path, content)

    monkeypatch.setattr(export_files, "_write_whole", dying)
    with pytest.raises(KilledWriting):
        await _worker(world, tmp_path).round()
    monkeypatch.undo()
    await world.submit(application("third"), context())
    world.clock.move(4)
    await _worker(world, tmp_path).round()
    assert _last_states(tmp_path) == dict.fromkeys(["first", "second", "third"], "INSURED")


async def test_a_second_process_leaves_the_directory_alone(world: World, tmp_path: Path) -> None:
    await world.submit(application(), context())
    world.clock.move(4)
    (tmp_path / "orders").mkdir()
    with (tmp_path / "orders" / "_lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not await _worker(world, tmp_path).round()
        assert _lines(tmp_path) == []
    await _worker(world, tmp_path).round()
    assert _last_states(tmp_path) == {"app-1": OrderState.INSURED}


async def test_an_incident_is_named(world: World, tmp_path: Path) -> None:
    world[A].script.append("lost")
    await world.submit(application(line="solo"), context())
    incident_id = await world.trip(A)
    assert B in world.insurers
    world.clock.move(30)
    await world.run_due()
    world.clock.move(4)
    await _worker(world, tmp_path).round()
    lines = _lines(tmp_path)
    assert (lines[-1]["state"], lines[-1]["incident_id"]) == ("ABNORMAL", incident_id)


def _exact(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class KilledWriting(Exception):
    """Stands for a kill in the middle of a write."""
