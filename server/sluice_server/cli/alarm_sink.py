"""``sluice alarm-sink``: a small receiver of the signed webhook, for demos, tests and as an example."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from sluice_server.cli.http_process import host_and_port, read_secret, serve_until_told
from sluice_server.domain.context import SystemClock

app = typer.Typer(help="Receives alarms over the signed webhook and writes each one as a line of JSON.")


@app.callback(invoke_without_command=True)
def alarm_sink(
    output: Annotated[Path, typer.Option(help="File that gets the alarms, one a line; kept over restarts.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes a free one.")] = "127.0.0.1:0",
    secret_file: Annotated[Path | None, typer.Option(help="Refuse what is not signed with this file's secret.")] = None,
) -> None:
    """Serve until SIGTERM. Prints one line of JSON with the URL to post to when it listens."""
    host_and_port(listen)
    secret = None if secret_file is None else read_secret(secret_file)

    async def run() -> None:
        from sluice_server.alerts.receiver import AlarmReceiver

        receiver = AlarmReceiver(output, clock=SystemClock(), secret=secret)
        await serve_until_told(receiver.application(), listen, "/alarms", {"output": str(output)})

    asyncio.run(run())
