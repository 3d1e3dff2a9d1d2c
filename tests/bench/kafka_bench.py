"""The streaming job on a real Kafka broker and PostgreSQL: windows that are wrong after a savepoint, SIGKILL, a restore
from a checkpoint and a lost TaskManager; and how long an event takes until its window can be read.

Prints why and ends with 0 where Maven has not fetched the broker.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path

from sluice_flink.cluster import loopback_cluster
from tests.bench.report import Row, report
from tests.flink.stream_command import begun, stored, streaming, wrong
from tests.flink.stream_events import Line, rfc3339, submissions_life
from tests.flink.stream_kafka import CLAIMS, SUBMISSIONS, Trial, try_kafka
from tests.support.kafka import JARS, Broker, running_broker
from tests.support.postgres import Postgres, running_postgres

SETTLE_SECONDS = 5.0
"""The server's export tells of a change so much later at most: 3 s until it takes it, 2 s between its rounds."""
PROBES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=100_000)
    parser.add_argument("--claims", type=int, default=400)
    arguments = parser.parse_args()
    if not any(JARS.glob("kafka_*.jar")):
        print(f"no Kafka broker in {JARS}: `make flink-connectors` fetches it")
        return
    with tempfile.TemporaryDirectory(prefix="sluice-kafka-bench-") as folder, running_postgres() as postgres:
        rows: list[Row] = []
        with running_broker(Path(folder) / "kafka-1") as broker:
            begin = time.perf_counter()
            trial = asyncio.run(
                _exact(_made(folder, "exact"), broker, postgres, arguments.submissions, arguments.claims)
            )
            seconds = time.perf_counter() - begin
        differences = sum(wrong(trial.found, trial.expected).values())
        windows = sum(map(len, trial.expected.values()))
        rows += [
            Row(
                "kafka/windows-wrong",
                differences,
                "rows",
                f"DuckDB, {windows:,} rows of {trial.events:,} lines",
                goal="0",
            ),
            Row("kafka/windows", windows, "rows"),
            Row("kafka/trial", seconds, "s", "savepoint, SIGKILL, checkpoint, cluster, lost TaskManager"),
        ]
        with running_broker(Path(folder) / "kafka-2") as broker:
            delays = asyncio.run(_delays(_made(folder, "delay"), broker, postgres))
        rows += [
            Row(
                "kafka/event-to-window",
                max(delays),
                "s",
                f"longest of {len(delays)}, export included",
                goal="at most 60",
            ),
            Row("kafka/event-to-window-median", statistics.median(delays), "s"),
        ]
    report("flink", rows, part=True)


def _made(folder: str, name: str) -> Path:
    made = Path(folder) / name
    made.mkdir()
    return made


async def _exact(folder: Path, broker: Broker, postgres: Postgres, submissions: int, claims: int) -> Trial:
    return await try_kafka(
        folder, broker, await _database(postgres), submissions=submissions, claims=claims, hours=4, days=9
    )


async def _delays(folder: Path, broker: Broker, postgres: Postgres) -> list[float]:
    """Seconds from an event to the first window with it in the store; signs of life follow as the server sends them."""
    store_url = await _database(postgres)
    broker.create_topics([SUBMISSIONS, CLAIMS])
    with loopback_cluster(folder / "cluster", slots=2) as cluster:
        options: list[str | Path] = ["--kafka", broker.bootstrap, "--claims", CLAIMS, "--store", store_url]
        options += ["--work", folder / "work", "--target", "remote", "--rest", cluster.rest]
        with streaming(folder, *options) as stream:
            first = _event(0, dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5))
            life = submissions_life(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=2))
            broker.produce(SUBMISSIONS, [first], "submission_id", [life])
            await begun(store_url, stream, 1)
            seen: dict[str, float] = {}
            happened: dict[str, dt.datetime] = {}
            told: list[tuple[dt.datetime, Line]] = []
            while len(seen) < PROBES:
                stream.check()
                now = dt.datetime.now(dt.UTC)
                if len(happened) < PROBES and (not happened or now - max(happened.values()) > dt.timedelta(seconds=4)):
                    event = _event(len(happened) + 1, now)
                    happened[event["insurer_id"]] = now
                    told.append((now + dt.timedelta(seconds=SETTLE_SECONDS), event))
                due = [event for at, event in told if at <= now]
                told = [item for item in told if item[0] > now]
                alive = submissions_life(now - dt.timedelta(seconds=SETTLE_SECONDS))
                await asyncio.to_thread(broker.produce, SUBMISSIONS, due, "submission_id", [alive])
                windows = (await stored(store_url))["insurer_window"]
                for insurer in {row[0] for row in windows} & (happened.keys() - seen.keys()):
                    seen[insurer] = (dt.datetime.now(dt.UTC) - happened[insurer]).total_seconds()
                await asyncio.sleep(1)
            assert stream.stop() == 0, stream.output
    return list(seen.values())


def _event(number: int, moment: dt.datetime) -> Line:
    """One submission, to an insurer of its own, so that its window is recognised."""
    return {
        "submission_id": f"sub-{number}", "application_id": f"app-{number}", "insurer_id": f"insurer-{number}",
        "outcome": "SUCCESS", "latency_ms": 80, "started_at": rfc3339(moment), "updated_at": rfc3339(moment),
    }  # fmt: skip


async def _database(postgres: Postgres) -> str:
    return postgres.url(await postgres.create_database()).replace("postgresql+asyncpg://", "postgresql://")


if __name__ == "__main__":
    main()
