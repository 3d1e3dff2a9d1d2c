"""Start and stop of a real server process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import routing_pb2
from sluice_server.domain.context import Role
from sluice_server.runtime.lifecycle import Application, Platform, Server
from sluice_server.runtime.settings import SettingsError
from tests.support.probe import Probe, probe_settings, serving

ROOT = Path(__file__).parents[2]
SECONDS = 20


class Run:
    """A server process and what it says."""

    def __init__(self, process: Process, port: int, metrics_port: int) -> None:
        self.process = process
        self.port = port
        self.metrics_port = metrics_port

    async def says(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            return (await self.process.stdout.readline()).decode().strip()

    async def ends(self) -> tuple[int, str, list[dict[str, object]]]:
        """Exit code, the rest of stdout, the log."""
        async with asyncio.timeout(SECONDS):
            out, log = await self.process.communicate()
        assert self.process.returncode is not None
        lines = [json.loads(line) for line in log.decode().splitlines() if line.startswith("{")]
        return self.process.returncode, out.decode().strip(), lines


@asynccontextmanager
async def process(behavior: str, **settings: str) -> AsyncIterator[Run]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SLUICE_")}
    environ |= {"SLUICE_LISTEN": "127.0.0.1:0", "SLUICE_METRICS_LISTEN": "127.0.0.1:0"}
    environ |= {f"SLUICE_{key.upper()}": value for key, value in settings.items()}
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.probe_process", behavior, cwd=ROOT, env=environ, stdout=PIPE, stderr=PIPE
    )
    try:
        run = Run(started, 0, 0)
        said = (await run.says()).split()
        assert said[:1] == ["serving"], (await started.communicate())[1].decode()
        run.port, run.metrics_port = int(said[1]), int(said[2])
        yield run
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


def get_order(client: AsyncSluice) -> asyncio.Future[object]:
    return asyncio.ensure_future(client.routing.GetOrder(routing_pb2.GetOrderRequest(), timeout=SECONDS))


async def unavailable(client: AsyncSluice) -> None:
    """Returns when the server takes no calls any more: the signal needs a moment to arrive."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                # This process does not have the call.
                await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest())
            except errors.Unimplemented:
                continue
            except (errors.Unavailable, errors.Cancelled):
                # gRPC cancels a call that meets the stop on a connection that is still open.
                return


async def test_sigterm_lets_the_calls_in_flight_finish_and_takes_no_others() -> None:
    async with process("finish") as run, AsyncSluice(f"127.0.0.1:{run.port}") as client:
        in_flight = get_order(client)
        assert await run.says() == "called"
        run.process.send_signal(signal.SIGTERM)
        async with AsyncSluice(f"127.0.0.1:{run.port}", actor="test") as other:
            await unavailable(other)
        assert not in_flight.done()
        run.process.send_signal(signal.SIGUSR1)
        await in_flight
        code, said, log = await run.ends()
    assert (code, said) == (0, "closed")
    assert [line["event"] for line in log if line["logger"] == "sluice.lifecycle"] == ["serving", "stopping", "stopped"]


async def test_the_drain_ends_after_its_time() -> None:
    async with process("hang", drain_seconds="0.1") as run, AsyncSluice(f"127.0.0.1:{run.port}") as client:
        in_flight = get_order(client)
        assert await run.says() == "called"
        run.process.send_signal(signal.SIGTERM)
        with pytest.raises(errors.SluiceError):
            await in_flight
        code, said, _ = await run.ends()
    assert (code, said) == (0, "closed")


async def test_a_second_signal_ends_the_drain() -> None:
    async with process("hang", drain_seconds="3600") as run, AsyncSluice(f"127.0.0.1:{run.port}") as client:
        in_flight = get_order(client)
        assert await run.says() == "called"
        run.process.send_signal(signal.SIGINT)
        run.process.send_signal(signal.SIGTERM)
        with pytest.raises(errors.SluiceError):
            await in_flight
        code, said, _ = await run.ends()
    assert (code, said) == (0, "closed")


async def test_a_collector_that_never_answers_does_not_hold_up_the_exit() -> None:
    with socket.socket() as collector:
        collector.bind(("127.0.0.1", 0))
        collector.listen()
        endpoint = f"http://127.0.0.1:{collector.getsockname()[1]}"
        async with process("answer", otlp_endpoint=endpoint, trace_sample_ratio="1") as run:
            async with AsyncSluice(f"127.0.0.1:{run.port}") as client:
                await get_order(client)
            run.process.send_signal(signal.SIGTERM)
            code, _, log = await run.ends()
    assert code == 0
    assert any("spans given up" in str(line["event"]) for line in log)


async def test_metrics_are_served_over_http() -> None:
    async with process("answer") as run:
        async with AsyncSluice(f"127.0.0.1:{run.port}") as client:
            await get_order(client)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{run.metrics_port}/metrics") as answer,
        ):
            text = await answer.text()
        assert answer.content_type == "text/plain"
        assert 'sluice_rpc_calls_total{code="OK",method="sluice.routing.v1.Routing/GetOrder",reason=""} 1.0' in text
        run.process.send_signal(signal.SIGTERM)
        await run.ends()


async def test_a_stop_ends_subscriptions_at_once_and_says_why() -> None:
    probe = Probe(behavior=asyncio.Event().wait)  # type: ignore[arg-type]  # never returns
    async with serving(probe, drain_seconds=3600.0) as server, AsyncSluice(f"127.0.0.1:{server.port}") as client:
        watch: Any = client.insurers.WatchInsurers(insurer_control_pb2.WatchInsurersRequest())
        assert (await watch.read()).initial
        stopping = asyncio.ensure_future(server.stop())
        with pytest.raises(errors.Unavailable) as caught:
            await watch.read()
        assert caught.value.reason == "STOPPING"
        await asyncio.wait_for(stopping, SECONDS)
    assert probe.closed


async def test_health_follows_the_life_of_the_server() -> None:
    async with serving(Probe()) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        check: Callable[..., Awaitable[health_pb2.HealthCheckResponse]] = health_pb2_grpc.HealthStub(channel).Check
        for service in ("", "sluice.routing.v1.Routing"):
            answer = await check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def _refused(port: int) -> None:
    """Waits until nobody listens there any more."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)


async def test_every_connection_is_served_until_all_are_told_of_the_stop() -> None:
    """The port has several listeners; each connection belongs to one of them."""
    probe = Probe()
    async with serving(probe) as server:
        clients = [AsyncSluice(f"127.0.0.1:{server.port}", actor=f"wang.{number}") for number in range(16)]
        answers = [client.routing.GetOrder(routing_pb2.GetOrderRequest(application_id="a")) for client in clients]
        await asyncio.gather(*answers)
        assert sorted(call.actor.name for call in probe.seen) == sorted(f"wang.{number}" for number in range(16))
        begun = asyncio.Event()
        finish = asyncio.Event()

        async def wait() -> None:
            if len(probe.seen) == 32:
                begun.set()
            await finish.wait()

        probe.behavior = wait
        running = [
            asyncio.ensure_future(client.routing.GetOrder(routing_pb2.GetOrderRequest(application_id="b")))
            for client in clients
        ]
        await asyncio.wait_for(begun.wait(), SECONDS)
        stopping = asyncio.create_task(server.stop())
        await _refused(server.port)
        finish.set()
        await asyncio.gather(*running)
        await stopping
    for client in clients:
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await client.routing.GetOrder(routing_pb2.GetOrderRequest(application_id="c"), timeout=0.3)
        await client.close()


async def test_nobody_shares_the_port_of_another_server() -> None:
    async with serving(Probe()) as first:
        address = f"127.0.0.1:{first.port}"
        with pytest.raises(SettingsError, match=f"cannot listen on {address}: is another server running there"):
            async with serving(Probe(), listen=address):
                pass
    async with serving(Probe(), listen=address) as again:
        assert again.port == first.port


async def test_a_port_that_is_taken_is_named_and_what_was_built_is_closed() -> None:
    closed = []

    async def build(platform: Platform) -> Application:
        async def close() -> None:
            closed.append(True)

        return Application(services=[], close=close)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match=f"cannot listen on {address}"):
            await Server(build, probe_settings(listen=address)).start()
    assert closed == [True]


async def test_a_metrics_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match=f"cannot listen on {address}.*SLUICE_METRICS_LISTEN"):
            async with serving(Probe(), metrics_listen=address):
                pass


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, Path]:
    authority = trustme.CA()
    files = {"ca": tmp_path / "ca.pem"}
    authority.cert_pem.write_to_path(str(files["ca"]))
    for name, certificate in {
        "server": authority.issue_cert("127.0.0.1", "localhost"),
        "client": authority.issue_cert("client.example", common_name="wang.li"),
    }.items():
        files[name], files[f"{name}_key"] = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        files[name].write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(str(files[f"{name}_key"]))
    return files


async def test_a_client_certificate_names_the_actor_and_its_roles_hold(
    certificates: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "roles.yaml").write_text("wang.li: [reader, seller]\n")
    probe = Probe()
    credentials = grpc.ssl_channel_credentials(
        *(certificates[name].read_bytes() for name in ("ca", "client_key", "client"))
    )
    async with (
        serving(
            probe,
            tls_cert=certificates["server"],
            tls_key=certificates["server_key"],
            tls_client_ca=certificates["ca"],
            roles_file=tmp_path / "roles.yaml",
        ) as server,
        AsyncSluice(f"localhost:{server.port}", actor="somebody else", credentials=credentials) as client,
    ):
        await client.routing.GetOrder(routing_pb2.GetOrderRequest())
        with pytest.raises(errors.PermissionDenied) as caught:
            await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest())
    actor = probe.seen[0].actor
    assert (actor.name, actor.verified, actor.roles) == ("wang.li", True, frozenset({Role.READER, Role.SELLER}))
    assert caught.value.metadata["needed_roles"] == "approver, operator"
    assert len(probe.seen) == 1


async def test_without_a_client_certificate_nobody_gets_in(certificates: dict[str, Path]) -> None:
    credentials = grpc.ssl_channel_credentials(certificates["ca"].read_bytes())
    async with (
        serving(
            Probe(),
            tls_cert=certificates["server"],
            tls_key=certificates["server_key"],
            tls_client_ca=certificates["ca"],
        ) as server,
        AsyncSluice(f"localhost:{server.port}", credentials=credentials, timeout=2) as client,
    ):
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
            await client.routing.GetOrder(routing_pb2.GetOrderRequest())


@pytest.mark.parametrize("text", ["- wang.li", "wang.li: [boss]", "wang.li: 3", "a: [b"])
async def test_a_wrong_roles_file_fails_the_start(tmp_path: Path, certificates: dict[str, Path], text: str) -> None:
    (tmp_path / "roles.yaml").write_text(text)
    with pytest.raises(SettingsError, match="roles_file"):
        async with serving(
            Probe(),
            tls_cert=certificates["server"],
            tls_key=certificates["server_key"],
            tls_client_ca=certificates["ca"],
            roles_file=tmp_path / "roles.yaml",
        ):
            pass
