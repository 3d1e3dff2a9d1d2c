"""Builds the house of the demo: processes, insurers, plan. What it leaves in its folder can be served afterwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from google.protobuf import duration_pb2, field_mask_pb2
from ruamel.yaml import YAML

from sluice.client import AsyncSluice
from sluice.insurer.v1 import breaker_pb2, insurer_control_pb2, insurer_pb2
from sluice.routing.v1 import routing_pb2
from sluice_server.cli.demo.processes import Processes, free_port
from sluice_server.insurers.simulated.adapter import adapter_configuration

INSURERS = {"insurer-a": "Anchor Insurance", "insurer-b": "Beacon Insurance", "insurer-c": "Cedar Insurance"}
SHARES = {"insurer-a": 40, "insurer-b": 35, "insurer-c": 25}
"""The agreed shares, per cent."""
FAILING = "insurer-b"
FIRST_OPERATOR = "li.wei"
SECOND_OPERATOR = "chen.na"
FIRST_PORT = 7350
PLAN = Path(__file__).with_name("plan.yaml")


@dataclass(frozen=True, slots=True)
class House:
    """Where everything is."""

    folder: Path
    address: str
    """host:port of the server."""
    insurers: Mapping[str, str]
    """Base URL of each simulated insurer, by id."""
    alarms: Path
    """The JSON lines that the alarm sink has received."""
    exported_orders: Path
    risk_store_url: str
    config: Path
    """Settings file of the server: ``sluice serve`` with it serves what the demo left."""

    async def set_mode(self, insurer_id: str, mode: str, **parameters: object) -> None:
        """Scripts a simulated insurer."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.insurers[insurer_id]}/admin/mode", json={"mode": mode, **parameters}) as answer,
        ):
            answer.raise_for_status()


async def start(processes: Processes, folder: Path) -> House:
    """Starts the alarm sink, the insurers and the server, each a process, and waits until they answer."""
    secret = folder / "alarm-webhook.secret"
    secret.write_text(os.urandom(24).hex())
    secret.chmod(0o600)
    alarms = folder / "alarms.jsonl"
    sink, *ready = await asyncio.gather(
        processes.start_and_read(
            "alarm-sink",
            *("alarm-sink", "--listen", "127.0.0.1:0", "--secret-file", str(secret), "--output", str(alarms)),
        ),
        *(
            processes.start_and_read(
                insurer_id,
                *("simulated-insurer", "--listen", "127.0.0.1:0", "--name", insurer_id),
                *("--ledger", str(folder / f"{insurer_id}.ledger.db")),
            )
            for insurer_id in INSURERS
        ),
    )
    insurers = {name: str(line["url"]) for name, line in zip(INSURERS, ready, strict=True)}
    port = free_port(FIRST_PORT)
    house = House(
        folder=folder,
        address=f"127.0.0.1:{port}",
        insurers=insurers,
        alarms=alarms,
        exported_orders=folder / "export",
        risk_store_url=f"sqlite+aiosqlite:///{folder / 'risk.db'}",
        config=folder / "sluice.yaml",
    )
    adapters = folder / "insurers.yaml"
    _write_yaml(adapters, {"insurers": {name: adapter_configuration(url) for name, url in insurers.items()}})
    _write_yaml(
        house.config,
        {
            "listen": "127.0.0.1:7350",
            "store_url": f"sqlite+aiosqlite:///{folder / 'sluice.db'}",
            "risk_store_url": house.risk_store_url,
            "export_dir": str(house.exported_orders),
            "insurers_file": str(adapters),
            "metrics_listen": "127.0.0.1:7351",
        },
    )
    await processes.start(
        "server",
        "serve",
        environment={
            "SLUICE_CONFIG": str(house.config),
            "SLUICE_LISTEN": house.address,
            "SLUICE_METRICS_LISTEN": f"127.0.0.1:{free_port(port + 1)}",
            "SLUICE_ALARM_WEBHOOK_URL": str(sink["url"]),
            "SLUICE_ALARM_WEBHOOK_SECRET_FILE": str(secret),
        },
    )
    return house


async def furnish(client: AsyncSluice) -> int:
    """Creates the insurers, quickens their way back to what a demo can wait for, activates the plan; its version."""
    for insurer_id, name in INSURERS.items():
        await client.insurers.CreateInsurer(
            insurer_control_pb2.CreateInsurerRequest(
                insurer=insurer_pb2.Insurer(
                    insurer_id=insurer_id, display_name=name, contact=f"operations desk of {name}"
                ),
                reason="demo: the insurers of the plan",
            )
        )
        await client.insurers.UpdateBreakerPolicy(
            insurer_control_pb2.UpdateBreakerPolicyRequest(
                insurer_id=insurer_id,
                policy=breaker_pb2.BreakerPolicy(
                    ramp_dwell=duration_pb2.Duration(seconds=3), ramp_minimum_outcomes=2, retry_per_second=20
                ),
                update_mask=field_mask_pb2.FieldMask(paths=["ramp_dwell", "ramp_minimum_outcomes", "retry_per_second"]),
                reason="demo: a way back in seconds instead of minutes",
            )
        )
    created = await client.routing.CreatePlan(
        routing_pb2.CreatePlanRequest(source=PLAN.read_text(), reason="demo: the agreed shares")
    )
    version = created.plan.version
    await client.routing.ActivatePlan(routing_pb2.ActivatePlanRequest(version=version, reason="demo: go live"))
    return int(version)


def _write_yaml(path: Path, content: object) -> None:
    with path.open("w") as file:
        YAML().dump(content, file)
