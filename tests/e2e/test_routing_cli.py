"""``sluice plan`` and ``sluice route`` against a real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from sluice.client import AsyncSluice
from sluice.routing.v1 import routing_pb2 as pb
from sluice_server.cli.main import app
from sluice_server.runtime.lifecycle import Server
from tests.e2e.routing_calls import EXAMPLE, know_insurers

APPLICATION = {
    "application_id": "app-1",
    "product_code": "screen-12m",
    "product_line": "screen",
    "device": {
        "device_ref": "dev-1",
        "model_id": "aurora-12",
        "category": "phone",
        "price": {"amount_minor": 99900, "currency_code": "CNY"},
    },
    "channel": {"channel_id": "online"},
    "customer_ref": "customer-1",
    "premium": {"amount_minor": 12900, "currency_code": "CNY"},
    "term_months": 12,
}


class CommandLine:
    """Runs commands against a server, in a thread: they block, and the server lives in this loop."""

    def __init__(self, port: int, folder: Path) -> None:
        self._environment = {
            "SLUICE_ADDRESS": f"127.0.0.1:{port}",
            "SLUICE_ACTOR": "wang.li",
            "COLUMNS": "400",
            "NO_COLOR": "1",
        }
        self._folder = folder

    async def __call__(self, *arguments: str, code: int = 0) -> Result:
        # The server's log would stand among what the command writes.
        with capture_logs():
            run = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=self._environment)
        assert run.exit_code == code, (run.output, run.exception)
        return run

    def file(self, name: str, text: str) -> str:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
async def sluice(whole_server: Server, whole_client: AsyncSluice, tmp_path: Path) -> CommandLine:
    await know_insurers(whole_client)
    return CommandLine(whole_server.port, tmp_path)


async def test_a_plan_is_validated_without_a_server(tmp_path: Path) -> None:
    sluice = CommandLine(1, tmp_path)
    good = sluice.file("plan.yaml", EXAMPLE)
    assert "valid (0 errors, 0 warnings)" in (await sluice("plan", "validate", good)).stdout
    bad = sluice.file("bad.yaml", EXAMPLE.replace("share: 7000", "share: 6000"))
    shown = (await sluice("plan", "validate", bad, code=1)).stdout
    assert f"{bad}:46: error: rules[0].allocations: the shares sum to 9000" in shown
    answer = json.loads((await sluice("plan", "validate", bad, "--json", code=1)).stdout)
    assert (answer["valid"], [f["path"] for f in answer["findings"]]) == (False, ["rules[0].allocations"])


async def test_a_plan_is_held_against_a_server(sluice: CommandLine) -> None:
    file = sluice.file("plan.yaml", EXAMPLE.replace("endpoint: screen", "endpoint: sceen"))
    assert "valid (0 errors, 0 warnings)" in (await sluice("plan", "validate", file)).stdout
    shown = (await sluice("plan", "validate", file, "--server")).stdout
    assert f"{file}:63: warning: rules[1].allocations[1].binding.endpoint: the adapter of 'insurer-b'" in shown
    assert "valid (0 errors, 1 warning)" in shown
    bad = sluice.file("bad.yaml", EXAMPLE.replace("share: 7000", "share: 6000"))
    answer = json.loads((await sluice("plan", "validate", bad, "--server", "--json", code=1)).stdout)
    assert [(f["severity"], f["line"]) for f in answer["findings"]] == [("ERROR", 46)]


async def test_a_plan_is_created_activated_shown_listed_and_rolled_back(
    sluice: CommandLine, whole_client: AsyncSluice
) -> None:
    first = sluice.file("first.yaml", EXAMPLE)
    second = sluice.file("second.yaml", EXAMPLE.replace("name: screens", "name: renamed"))
    for file in (first, second):
        created = await sluice("plan", "create", file, "--reason", "agreed", "--json")
        assert json.loads(created.stdout)["active"] is False
    assert "version 1 is active; none was before" in (await sluice("plan", "activate", "1", "--reason", "go")).stdout
    nothing = await sluice("plan", "rollback", "--reason", "back", code=1)
    assert "the first that was ever active" in nothing.stderr
    assert "version 1 was before" in (await sluice("plan", "activate", "2", "--reason", "better")).stdout
    shown = await sluice("plan", "show")
    assert "2 (active)" in shown.stdout
    assert "name: renamed" in shown.stdout
    rolled = await sluice("plan", "rollback", "--reason", "complaints", "--json")
    assert (json.loads(rolled.stdout)["plan"]["version"], json.loads(rolled.stdout)["previous_version"]) == ("1", "2")
    assert (await whole_client.routing.GetPlan(pb.GetPlanRequest())).plan.version == 1
    listed = json.loads((await sluice("plan", "list", "--json")).stdout)
    assert [(p["version"], p["active"], p["creator"]) for p in listed["plans"]] == [
        ("2", False, "wang.li"),
        ("1", True, "wang.li"),
    ]
    assert "device-protection" in (await sluice("plan", "list")).stdout


async def test_refusals_end_the_command_with_what_is_wrong(sluice: CommandLine) -> None:
    bad = sluice.file("bad.yaml", EXAMPLE.replace("share: 7000", "share: 6000").replace("share: 6000\n", "share: 1\n"))
    refused = await sluice("plan", "create", bad, "--reason", "agreed", code=1)
    assert "INVALID_ARGUMENT (INVALID_PLAN)" in refused.stderr
    assert "source.rules[0].allocations" in refused.stderr
    assert "source.rules[2].allocations" in refused.stderr
    missing = await sluice("plan", "activate", "7", "--reason", "go", code=1)
    assert "NOT_FOUND (PLAN_NOT_FOUND)" in missing.stderr
    not_text = Path(sluice.file("binary.yaml", "")).parent / "binary.yaml"
    not_text.write_bytes(b"\xff\xfe")
    assert "cannot be read" in (await sluice("plan", "validate", str(not_text), code=1)).stderr


async def test_a_decision_is_explained(sluice: CommandLine) -> None:
    await sluice("plan", "create", sluice.file("plan.yaml", EXAMPLE), "--reason", "agreed")
    await sluice("plan", "activate", "1", "--reason", "go")
    plain = sluice.file("application.json", json.dumps(APPLICATION))
    shown = (await sluice("route", "explain", plain)).stdout
    for part in (
        "screens",
        "expensive-screens",
        "insurer-a",
        "50.00 %",
        "price_band",
        "chosen",
        "sticky key customer-1",
    ):
        assert part in shown, part
    wrapped = sluice.file("request.json", json.dumps({"application": APPLICATION}))
    answer = json.loads((await sluice("route", "explain", wrapped, "--json")).stdout)
    assert (answer["decision"]["rule"], answer["plan_version"]) == ("screens", "1")
    foreign = sluice.file("foreign.json", json.dumps(APPLICATION | {"product_line": "travel"}))
    assert "no rule decides" in (await sluice("route", "explain", foreign, code=1)).stdout
    broken = sluice.file("broken.json", '{"product": 1}')
    assert "not an application" in (await sluice("route", "explain", broken, code=1)).stderr
    incomplete = sluice.file("incomplete.json", json.dumps({"application_id": "a"}))
    assert "application.premium" in (await sluice("route", "explain", incomplete, code=1)).stderr
