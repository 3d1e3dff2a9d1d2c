"""An adapter in Python, found by its entry point as an installed package would be."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from sluice_server.domain.context import SystemClock
from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import SubmissionPending
from sluice_server.domain.tracing import Untraced
from sluice_server.insurers.directory import ConfiguredAdapters, open_adapters
from tests.support.submissions import decided, submission_request

EXAMPLE = Path(__file__).parents[3] / "docs" / "example-adapter"
SOURCE = '''
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import SubmissionResult


class PaperMail:
    """Insures by letter: the policy's number is the letter's."""

    def __init__(self, insurer_id, prefix):
        self.insurer_id, self.prefix, self.closed = insurer_id, prefix, False

    async def submit(self, request):
        return SubmissionResult(Outcome.SUCCESS, policy_number=f"{self.prefix}-{request.idempotency_key}")

    async def inquire(self, request):
        return None

    async def close(self):
        self.closed = True


def build(*, insurer_id, options, clock, tracer):
    if "prefix" not in options:
        raise ValueError("options need a prefix")
    return PaperMail(insurer_id, options["prefix"])
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with the entry point ``paper-mail``."""
    info = tmp_path / "paper_mail-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paper-mail\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[sluice.insurers]\npaper-mail = paper_mail_adapter:build\n")
    (tmp_path / "paper_mail_adapter.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "paper_mail_adapter", raising=False)


def opened(tmp_path: Path, insurers: str) -> ConfiguredAdapters:
    (tmp_path / "insurers.yaml").write_text(f"insurers: {insurers}")
    return open_adapters(tmp_path / "insurers.yaml", environment={}, clock=SystemClock(), tracer=Untraced())


@pytest.mark.usefixtures("installed")
async def test_an_installed_adapter_is_built_used_and_closed(tmp_path: Path) -> None:
    adapters = opened(tmp_path, "{ letters: { adapter: paper-mail, options: { prefix: L } } }")
    assert adapters.insurer_ids == ("letters",)
    adapter = adapters.get("letters")
    result = decided(await adapter.submit(submission_request()))
    assert (result.outcome, result.policy_number) == (Outcome.SUCCESS, "L-key-1")
    await adapters.close()
    assert vars(adapter)["closed"] is True


@pytest.mark.usefixtures("installed")
def test_every_adapter_that_cannot_be_built_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        opened(tmp_path, "{ letters: { adapter: paper-mail }, pigeons: { adapter: pigeon } }")
    assert [(v.field, v.description) for v in refused.value.violations] == [
        ("insurers.letters.adapter", "'paper-mail' cannot be used: options need a prefix"),
        ("insurers.pigeons.adapter", "no adapter 'pigeon' is installed; installed: paper-mail"),
    ]


@pytest.fixture
def drop_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documentation's example, installed; its folder."""
    site = tmp_path / "site"
    info = site / "drop_box_adapter-1.dist-info"
    info.mkdir(parents=True)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    names = "\n".join(f"{k} = {v}" for k, v in project["entry-points"]["sluice.insurers"].items())
    (info / "entry_points.txt").write_text(f"[sluice.insurers]\n{names}\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(EXAMPLE)
    monkeypatch.delitem(sys.modules, "drop_box_adapter", raising=False)
    folder = tmp_path / "letters"
    folder.mkdir()
    return folder


async def test_the_example_adapter_hands_a_request_over_and_reads_the_answer(tmp_path: Path, drop_box: Path) -> None:
    adapters = opened(tmp_path, f"{{ letters: {{ adapter: drop-box, options: {{ folder: {drop_box} }} }} }}")
    adapter, request = adapters.get("letters"), submission_request()
    assert await adapter.inquire(request) is None
    for _ in range(2):  # a repeat under the same key is no second request
        assert isinstance(await adapter.submit(request), SubmissionPending)
    (asked,) = [path for path in (drop_box / "requests").iterdir() if not path.name.startswith(".")]
    assert isinstance(await adapter.inquire(request), SubmissionPending)
    (drop_box / "answers" / asked.name).write_text('{"policy_number": "L-1"}')
    result = decided(await adapter.inquire(request))
    assert (result.outcome, result.policy_number) == (Outcome.SUCCESS, "L-1")
    (drop_box / "answers" / asked.name).write_text('{"policy_nu')
    assert decided(await adapter.inquire(request)).outcome is Outcome.UNKNOWN
    await adapters.close()


async def test_the_example_adapter_knows_when_nothing_was_handed_over(tmp_path: Path, drop_box: Path) -> None:
    adapters = opened(tmp_path, f"{{ letters: {{ adapter: drop-box, options: {{ folder: {drop_box} }} }} }}")
    (drop_box / "requests").rmdir()
    assert decided(await adapters.get("letters").submit(submission_request())).outcome is Outcome.TECHNICAL_FAILURE
    await adapters.close()


@pytest.mark.usefixtures("drop_box")
def test_the_example_adapter_refuses_wrong_options(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="must name a folder that exists"):
        opened(tmp_path, "{ letters: { adapter: drop-box, options: { folder: /nowhere/at/all } } }")
