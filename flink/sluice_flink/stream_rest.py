"""What a running streaming job says of itself over Flink's REST endpoint, and how it is told to stop."""

from __future__ import annotations

import asyncio
import datetime as dt
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sluice_flink.findings import JobFailed

ENDED = frozenset({"FAILED", "CANCELED", "FINISHED", "SUSPENDED"})
_TIMEOUT_SECONDS = 10.0
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class StreamProgress:
    """A look at the job."""

    state: str
    """Flink's word: RUNNING, RESTARTING, FAILED …"""
    ready: bool
    """All of its tasks are at work: it can be stopped with a savepoint."""
    records_read: int
    """Since the job was started or restored."""
    rows_late: int
    """Rows that came when their windows were closed already, and count in none; repeats of old ones are among them."""
    watermark: dt.datetime | None
    """Every window that ends before it is written; None before the first event."""
    checkpoints: int
    """Completed since the job was started or restored."""
    problem: str = ""
    """The last failure that Flink has recovered from, or not."""


class FlinkJob:
    """One job on the cluster at `rest_url`."""

    def __init__(self, rest_url: str, job_id: str) -> None:
        self.job_id = job_id
        self._rest = str(urlsplit(rest_url).netloc)

    async def look(self) -> StreamProgress:
        """How the job does. Raises `OSError` or `http.client.HTTPException` where the cluster does not answer."""
        return await asyncio.to_thread(self._look)

    async def stop(self, folder: str) -> str:
        """Stop with a savepoint in `folder`; returns where it is, when everything before it is written. Raises
        `JobFailed` where Flink can not."""
        asked = await asyncio.to_thread(
            self._ask, "POST", f"/jobs/{self.job_id}/stop", {"targetDirectory": folder, "drain": False}
        )
        while True:
            told = await asyncio.to_thread(self._ask, "GET", f"/jobs/{self.job_id}/savepoints/{asked['request-id']}")
            if told["status"]["id"] == "COMPLETED":
                break
            await asyncio.sleep(_LOOK_SECONDS)
        operation = told["operation"]
        if "failure-cause" in operation:
            raise JobFailed(f"Flink could not stop with a savepoint: {operation['failure-cause'].get('class')}")
        return str(operation["location"])

    def _look(self) -> StreamProgress:
        job = self._ask("GET", f"/jobs/{self.job_id}")
        vertices = job["vertices"]
        done = self._ask("GET", f"/jobs/{self.job_id}/checkpoints").get("counts", {}).get("completed", 0)
        sources = [vertex for vertex in vertices if vertex["name"].startswith("Source:")]
        problem = ""
        if job["state"] != "RUNNING":
            entries = self._ask("GET", f"/jobs/{self.job_id}/exceptions")["exceptionHistory"]["entries"]
            problem = root_cause(entries[0]["stacktrace"]) if entries else ""
        return StreamProgress(
            job["state"],
            job["state"] == "RUNNING" and all(vertex["status"] == "RUNNING" for vertex in vertices),
            sum(vertex["metrics"]["write-records"] for vertex in sources),
            sum(self._late(vertex["id"]) for vertex in vertices if "Window" in vertex["name"]),
            self._watermark([vertex["id"] for vertex in vertices if vertex not in sources]),
            done,
            problem,
        )

    def _late(self, vertex: str) -> int:
        path = f"/jobs/{self.job_id}/vertices/{vertex}/subtasks/metrics"
        names = [item["id"] for item in self._list(path) if item["id"].endswith("numLateRecordsDropped")]
        found = self._list(f"{path}?get={','.join(names)}&agg=sum") if names else []
        return sum(int(item["sum"]) for item in found)

    def _watermark(self, vertices: list[str]) -> dt.datetime | None:
        told: list[int] = []
        for vertex in vertices:
            told += [int(item["value"]) for item in self._list(f"/jobs/{self.job_id}/vertices/{vertex}/watermarks")]
        known = [value for value in told if value > 0]
        return dt.datetime.fromtimestamp(min(known) / 1000, dt.UTC) if known else None

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", path)  # type: ignore[assignment]  # these answers are lists
        return found

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._rest, timeout=_TIMEOUT_SECONDS)
        try:
            content = json.dumps(body) if body is not None else None
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                raise http.client.HTTPException(f"{method} {path}: {response.status} {text[:200]!r}")
            answer: dict[str, Any] = json.loads(text)
            return answer
        finally:
            connection.close()


def root_cause(stacktrace: str) -> str:
    """The last cause in Java's stack trace, which is the one that says something."""
    causes = [line for line in stacktrace.splitlines() if line.startswith("Caused by: ")]
    return (causes[-1].removeprefix("Caused by: ") if causes else stacktrace.splitlines()[0])[:300]
