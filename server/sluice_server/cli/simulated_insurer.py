"""``sluice simulated-insurer``: an insurer to test against."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from sluice_server.cli.http_process import host_and_port, read_secret, serve_until_told
from sluice_server.domain.context import SystemClock
from sluice_server.domain.errors import InvalidInput

app = typer.Typer(help="A real HTTP server that behaves like an insurer, well or badly, with a durable ledger.")


@app.callback(invoke_without_command=True)
def simulated_insurer(
    name: Annotated[str, typer.Option(help="Begins its policy numbers.")],
    ledger: Annotated[Path, typer.Option(help="SQLite file of what it has promised; kept over restarts.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT; port 0 takes a free one.")] = "127.0.0.1:0",
    mode: Annotated[str, typer.Option(help="healthy, jitter, errors, outage, hang … (PUT /admin/mode).")] = "healthy",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 1,
    decline_rate: Annotated[float, typer.Option(help="Part that its own rules decline.")] = 0.0,
    latency_median_ms: Annotated[float, typer.Option(help="Time to an answer, median.")] = 15.0,
    latency_p99_ms: Annotated[float, typer.Option(help="Time to an answer, 99th percentile.")] = 60.0,
    callback_url: Annotated[str, typer.Option(help="Where it tells what it decides later.")] = "",
    callback_secret_file: Annotated[Path | None, typer.Option(help="Callbacks are signed with its secret.")] = None,
    secret_file: Annotated[Path | None, typer.Option(help="Requests must be signed with this file's secret.")] = None,
) -> None:
    """Serve until SIGTERM. Prints one line of JSON with its URL when it listens."""
    from sluice_server.insurers.simulated.modes import Mode

    host_and_port(listen)
    try:
        first = Mode().changed(
            {
                "mode": mode,
                "seed": seed,
                "decline_rate": decline_rate,
                "latency_median_ms": latency_median_ms,
                "latency_p99_ms": latency_p99_ms,
            }
        )
    except InvalidInput as error:
        raise typer.BadParameter(error.message) from None
    secret = None if secret_file is None else read_secret(secret_file)
    if bool(callback_url) != (callback_secret_file is not None):
        raise typer.BadParameter("--callback-url and --callback-secret-file go together")
    callback_secret = b"" if callback_secret_file is None else read_secret(callback_secret_file)

    async def run() -> None:
        from sluice_server.insurers.simulated.callbacks import CallbackSender
        from sluice_server.insurers.simulated.ledger import Ledger
        from sluice_server.insurers.simulated.server import SimulatedInsurer

        book = Ledger(ledger, name)
        try:
            clock = SystemClock()
            callbacks = CallbackSender(callback_url, callback_secret, clock) if callback_url else None
            insurer = SimulatedInsurer(name, book, first, clock, secret, callbacks)
            await serve_until_told(insurer.application(), listen, "", {"name": name, "ledger": str(ledger)})
        finally:
            await book.close()

    asyncio.run(run())
