"""The streaming job on Kafka through everything that may befall it; test and benchmark count what is wrong then.

Events come in four parts. The job is stopped with a savepoint after the first, killed with its JVM in the middle of the
second and third, and goes on from the retained checkpoint on a cluster. There its runner is killed, and a TaskManager.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice_flink.cluster import Cluster, loopback_cluster
from tests.flink.stream_command import Rows, begun, settled, stored, streaming
from tests.flink.stream_events import (
    Line,
    claim_lines,
    claims_life,
    independent_windows,
    newest,
    submission_lines,
    submissions_life,
)
from tests.support.kafka import Broker
from tests.support.listening import listening_ports

SUBMISSIONS, CLAIMS = "sluice.submissions", "claims"
_LATER = dt.timedelta(hours=1)


@dataclass(frozen=True)
class Trial:
    """What came of it."""

    expected: Rows
    found: Rows
    events: int


async def try_kafka(
    folder: Path, broker: Broker, store_url: str, *, submissions: int, claims: int, hours: float, days: float
) -> Trial:
    """Count made-up events from empty topics into an empty store; `folder` takes the state and the logs."""
    told, reported = submission_lines(submissions, hours, seed=5), claim_lines(claims, days, seed=6)
    until = {"submissions": newest(told, "updated_at") + _LATER, "claims": newest(reported, "reported_at") + _LATER}
    expected = await asyncio.to_thread(independent_windows, told, reported, until)
    broker.create_topics([SUBMISSIONS, CLAIMS])
    told_parts, reported_parts = _parts(told), _parts(reported)

    def send(number: int) -> None:
        last = number == len(told_parts) - 1
        lives = ([submissions_life(until["submissions"])], [claims_life(until["claims"])]) if last else ([], [])
        # By the submission: its lines stay in order, those of other partitions are read in any order.
        broker.produce(SUBMISSIONS, told_parts[number], "submission_id", lives[0])
        broker.produce(CLAIMS, reported_parts[number], "claim_id", lives[1])

    options: list[str | Path] = ["--kafka", broker.bootstrap, "--claims", CLAIMS, "--store", store_url]
    options += ["--work", folder / "work", "--checkpoint", "1", "--parallelism", "2", "--keep-days", "60"]
    await asyncio.to_thread(send, 0)
    with streaming(folder, *options) as stream:
        await begun(store_url, stream, 1)
        assert stream.stop() == 0, stream.output
        assert "stopped with savepoint" in stream.output
    windows = len((await stored(store_url))["insurer_window"])
    with streaming(folder, *options) as stream:
        await asyncio.to_thread(send, 1)
        await begun(store_url, stream, windows + 1)
        await asyncio.to_thread(send, 2)
        assert "/savepoints/" in stream.output
        stream.kill()
    with loopback_cluster(folder / "cluster", slots=2) as cluster:
        options += ["--target", "remote", "--rest", cluster.rest]
        windows = len((await stored(store_url))["insurer_window"])
        with streaming(folder, *options) as stream:
            await begun(store_url, stream, windows + 1)
            assert "/chk-" in stream.output
            stream.kill()
        # The job goes on without its runner, and the next runner finds it.
        await asyncio.to_thread(send, 3)
        with streaming(folder, *options) as stream:
            os.kill(_at_work(cluster), signal.SIGKILL)
            found = await settled(store_url, expected, stream)
            assert "found running" in stream.output
            assert stream.stop() == 0, stream.output
        assert list(cluster.jobs().values()) == ["FINISHED"]
    return Trial(expected, found, len(told) + len(reported))


def _parts(lines: Sequence[Line]) -> list[Sequence[Line]]:
    quarter = -(-len(lines) // 4)
    return [lines[start : start + quarter] for start in range(0, len(lines), quarter)]


def _at_work(cluster: Cluster) -> int:
    """The process of a TaskManager that runs tasks."""
    for manager in cluster.get("/taskmanagers")["taskmanagers"]:
        if manager["freeSlots"] < manager["slotsNumber"]:
            # Named by the address and the port on which it is called.
            port = int(manager["id"].partition(":")[2].partition("-")[0])
            return next(pid for pid in cluster.pids[1:] if port in listening_ports(pid))
    raise AssertionError("no TaskManager has anything to do")
