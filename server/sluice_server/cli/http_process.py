"""A small HTTP server as a process of its own: says where it listens, ends on SIGTERM."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import typer
from aiohttp import web

# How long answers under way may take once the process is told to end.
_DRAIN_SECONDS = 3.0


def host_and_port(listen: str) -> tuple[str, int]:
    """``127.0.0.1:0`` and the like, checked. Raises typer.BadParameter."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise typer.BadParameter(f"{listen!r} is not HOST:PORT, such as 127.0.0.1:0 (0: any free port)")
    return host, int(port)


async def serve_until_told(app: web.Application, listen: str, path: str, ready: Mapping[str, object]) -> None:
    """Serves until SIGTERM or SIGINT. When it listens it prints one line of JSON to stdout: ``url`` (with ``path``),
    ``address`` and what is in ``ready``."""
    host, port = host_and_port(listen)
    # A handler ends when its caller hangs up: a silent insurer shall not collect dead requests.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_DRAIN_SECONDS)
    await runner.setup()
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise typer.BadParameter(f"cannot listen on {listen}: {error.strerror}") from None
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"
        print(json.dumps({"url": f"http://{shown}{path}", "address": shown, **ready}), flush=True)
        await told.wait()
    finally:
        await runner.cleanup()
        sys.stdout.flush()


def read_secret(path: Path) -> bytes:
    """A file's secret without its last line break. Raises typer.BadParameter."""
    try:
        secret = path.read_bytes().removesuffix(b"\n")
    except OSError as error:
        raise typer.BadParameter(f"the secret's file {path} cannot be read: {error.strerror}") from None
    if not secret:
        raise typer.BadParameter(f"the secret's file {path} is empty")
    return secret
