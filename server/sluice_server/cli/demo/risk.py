"""The risk question: the Flink job over a generated portfolio and the orders just insured, then RiskQuery."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.client import AsyncSluice
from sluice.risk.v1 import anomalies_pb2, data_pb2, query_pb2
from sluice_server.cli.demo.house import House
from sluice_server.cli.demo.processes import ProcessFailed

ANOMALIES = 500


@dataclass(frozen=True, slots=True)
class Found:
    """What the server named as abnormal, beside what the generator had planted."""

    kind: str
    planted: frozenset[str]
    named: frozenset[str]

    @property
    def found(self) -> int:
        """Planted ones that were named."""
        return len(self.planted & self.named)

    @property
    def false(self) -> int:
        """Named ones that were not planted."""
        return len(self.named - self.planted)


async def generate(folder: Path, policies: int, seed: int) -> None:
    """Writes a portfolio with planted abnormal stores and repair shops."""
    await flink("generate", "--output", str(folder), "--policies", str(policies), "--seed", str(seed))


async def import_fremtpl2(data: Path, folder: Path) -> None:
    """Maps the freMTPL2 files to the source tables."""
    await flink("import-fremtpl2", "--data", str(data), "--output", str(folder))


async def publish(house: House, portfolio: Path, *, with_orders: bool = True) -> None:
    """Runs the Flink job, which publishes one data version; its own progress display goes to this terminal."""
    orders = ("--orders", str(house.exported_orders)) if with_orders else ()
    await flink("run", "--input", str(portfolio), *orders, "--store", house.risk_store_url)


async def flink(*arguments: str) -> None:
    """Runs ``sluice-flink ARGUMENTS`` as a process of its own."""
    program = Path(sys.executable).with_name("sluice-flink")
    process = await asyncio.create_subprocess_exec(str(program), *arguments, stdin=asyncio.subprocess.DEVNULL)
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if code != 0:
        raise ProcessFailed(f"sluice-flink {arguments[0]} ended with code {code}; what it printed says why")


async def newest_version(client: AsyncSluice) -> data_pb2.DataVersion:
    """The data version that the answers stand on."""
    answer = await client.risk.ListDataVersions(data_pb2.ListDataVersionsRequest(page_size=1))
    if not answer.data_versions:
        raise ProcessFailed("the Flink job ended well and no data version is published")
    return answer.data_versions[0]


async def ask(
    client: AsyncSluice, metrics: Sequence[str], dimension: str, order: str, rows: int
) -> query_pb2.QueryResponse:
    """One query of the semantic model."""
    return await client.risk.Query(
        query_pb2.QueryRequest(metrics=metrics, dimensions=[dimension], order_by=[order], page_size=rows)
    )


async def abnormal(client: AsyncSluice, portfolio: Path) -> list[Found]:
    """Stores and repair shops that stand out, compared with the planted ones."""
    planted = json.loads((portfolio / "planted.json").read_text())
    results = []
    for entity, key in (("store", "stores"), ("repair_shop", "repair_shops")):
        answer = await client.risk.ListAnomalies(anomalies_pb2.ListAnomaliesRequest(entity=entity, page_size=ANOMALIES))
        results.append(
            Found(key.replace("_", " "), frozenset(planted[key]), frozenset(a.entity_id for a in answer.anomalies))
        )
    return results
