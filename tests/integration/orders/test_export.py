"""Orders reach Flink: whole files, at least once, the last line of an order being its last state."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import orjson
import pytest

from sluice_flink.sql_files import source_tables
from sluice_server.domain.orders.model import OrderState
from sluice_server.runtime import order_export
from sluice_server.runtime.order_export import OrderExportWorker
from tests.integration.orders.world import A, B, World, application, context

COLUMNS = set(source_tables()["orders"].column_names)
"""As the Flink jobs declare them: the contract between the two sides."""


def _lines(directory: Path) -> list[dict[str, Any]]:
    files = sorted((directory / "orders").glob("dt=*/*.jsonl"), key=lambda path: path.name)
    return [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]


def _last_states(directory: Path) -> dict[str, str]:
    lines = sorted(_lines(directory), key=lambda line: str(line["updated_at"]))
    return {line["application_id"]: line["state"] for line in lines}


def _worker(world: World, directory: Path, **settings: Any) -> OrderExportWorker:
    return OrderExportWorker(world.store, world.clock, directory, **settings)


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


@pytest.mark.parametrize("writes_before", [0, 1])
async def test_a_killed_export_repeats_rather_than_loses(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_before: int
) -> None:
    await world.submit(application("first"), context())
    world.clock.move(4)
    await _worker(world, tmp_path).round()
    await world.submit(application("second"), context())
    world.clock.move(4)

    written = 0
    write_whole = order_export._write_whole

    def dying(path: Path, content: bytes) -> None:
        nonlocal written
        if written == writes_before:
            raise KilledWriting
        written += 1
        write_whole(path, content)

    monkeypatch.setattr(order_export, "_write_whole", dying)
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


class KilledWriting(Exception):
    """Stands for a kill in the middle of a write."""
