"""``sluice plan simulate``: what a draft would change."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from google.protobuf.timestamp_pb2 import Timestamp
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from sluice.routing.v1 import application_pb2, routing_pb2
from sluice_server.cli.connection import DEFAULT_ADDRESS, ActorName, Address, AsJson, output, problems, server
from sluice_server.cli.files import read_text
from sluice_server.domain.money import Money

PlanDraft = Annotated[
    str, typer.Argument(metavar="FILE|VERSION", help="The draft: a plan's YAML, or the number of a stored version.")
]
Moment = Annotated[str, typer.Option(help="RFC 3339 time or date, UTC where no zone is given.")]


@dataclass(slots=True)
class Outcome:
    """What the server answered, added up."""

    replayed: int = 0
    total: int = 0
    changed: int = 0
    unmatched: int = 0
    first_changed: list[routing_pb2.ChangedApplication] = field(default_factory=list)
    shares: list[routing_pb2.SimulatedShare] = field(default_factory=list)


def simulate(
    draft: PlanDraft,
    since: Moment = "",
    until: Moment = "",
    limit: Annotated[int, typer.Option(min=0, max=1_000_000, help="The newest so many; 0 means 100,000.")] = 0,
    applications: Annotated[
        Path | None,
        typer.Option(help="Replay these (one JSON application a line) instead of stored ones.", exists=True),
    ] = None,
    changed_to: Annotated[
        Path | None, typer.Option(help="Write every application that would go elsewhere to this file, one JSON a line.")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="Show so many applications that would go elsewhere.")] = 10,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Replay applications through a draft, as if every breaker were closed. Stores nothing, activates nothing."""
    request = routing_pb2.SimulatePlanRequest(
        created_after=_timestamp("--since", since),
        created_before=_timestamp("--until", until),
        limit=limit,
        applications=[] if applications is None else _read(applications),
    )
    if draft.isdecimal():
        request.version = int(draft)
    else:
        request.source = read_text(Path(draft))
    with ExitStack() as opened:
        file = None if changed_to is None else opened.enter_context(changed_to.open("w", encoding="utf-8"))
        sluice = opened.enter_context(server(address, actor))
        outcome = _follow(sluice.routing.SimulatePlan(request), show, file, quiet=as_json)
    if as_json:
        sys.stdout.write(json.dumps(_plain(outcome), ensure_ascii=False) + "\n")
    else:
        _print(outcome, changed_to)


def _follow(
    steps: Iterable[routing_pb2.SimulatePlanResponse], show: int, file: TextIO | None, *, quiet: bool
) -> Outcome:
    outcome = Outcome()
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=problems, transient=True, disable=quiet) as progress:
        task = progress.add_task("replaying", total=None)
        for step in steps:
            outcome.replayed, outcome.total = step.replayed, step.total
            outcome.changed, outcome.unmatched = step.changed_count, step.unmatched_count
            outcome.shares.extend(step.shares)
            outcome.first_changed.extend(step.changed[: show - len(outcome.first_changed)])
            if file is not None:
                file.writelines(f"{json.dumps(_message(each), ensure_ascii=False)}\n" for each in step.changed)
            progress.update(task, completed=step.replayed, total=step.total)
    return outcome


@dataclass(slots=True)
class _Sum:
    applications: int = 0
    applications_before: int = 0
    premium: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    premium_before: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, share: routing_pb2.SimulatedShare) -> None:
        self.applications += share.applications
        self.applications_before += share.applications_before
        self.premium[share.premium.currency_code] += share.premium.amount_minor
        self.premium_before[share.premium_before.currency_code] += share.premium_before.amount_minor


def _by(outcome: Outcome, name: str) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = {}
    for share in outcome.shares:
        sums.setdefault(getattr(share, name), _Sum()).add(share)
    return sums


def _plain(outcome: Outcome) -> dict[str, object]:
    return {
        "replayed": outcome.replayed,
        "changed_count": outcome.changed,
        "unmatched_count": outcome.unmatched,
        "by_insurer": [_sum("insurer_id", name, each) for name, each in _by(outcome, "insurer_id").items()],
        "by_rule": [{"rule": name, "applications": each.applications} for name, each in _by(outcome, "rule").items()],
        "shares": [_message(share) for share in outcome.shares],
        "changed": [_message(each) for each in outcome.first_changed],
    }


def _sum(key: str, name: str, each: _Sum) -> dict[str, object]:
    return {
        key: name,
        "applications": each.applications,
        "applications_before": each.applications_before,
        "premium_minor": dict(each.premium),
        "premium_before_minor": dict(each.premium_before),
    }


def _message(message: routing_pb2.ChangedApplication | routing_pb2.SimulatedShare) -> dict[str, object]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _print(outcome: Outcome, changed_to: Path | None) -> None:
    if not outcome.replayed:
        output.print(Text("nothing to replay: no order was created in that time", style="bold yellow"))
        return
    whole = outcome.replayed
    insurers = Table("insurer", "applications", "share", "before", "share before", "premium", "premium before")
    for name, each in sorted(_by(outcome, "insurer_id").items()):
        insurers.add_row(
            Text(name or "(nobody)"),
            f"{each.applications:,}",
            f"{each.applications / whole:.2%}",
            f"{each.applications_before:,}",
            f"{each.applications_before / whole:.2%}",
            _premium(each.premium),
            _premium(each.premium_before),
        )
    rules = Table("rule of the draft", "applications", "share")
    for name, each in _by(outcome, "rule").items():
        rules.add_row(Text(name or "(no rule matches)"), f"{each.applications:,}", f"{each.applications / whole:.2%}")
    output.print(insurers, rules)
    if outcome.first_changed:
        changed = Table("application", "before", "by rule", "draft", "by rule")
        for one in outcome.first_changed:
            changed.add_row(
                Text(one.application_id),
                Text(one.insurer_id_before or "(nobody)"),
                Text(one.rule_before),
                Text(one.insurer_id or "(nobody)"),
                Text(one.rule or "(no rule matches)"),
            )
        output.print(changed)
    share = f"{outcome.changed / whole:.2%}"
    verdict = f"{outcome.replayed:,} replayed, {outcome.changed:,} ({share}) would go to another insurer"
    output.print(Text(verdict, style="bold"))
    if outcome.unmatched:
        output.print(
            Text(f"{outcome.unmatched:,} would be refused: no rule of the draft decides them", style="bold red")
        )
    if changed_to is not None:
        output.print(Text(f"all of them are in {changed_to}", style="dim"), soft_wrap=True)
    elif outcome.changed > len(outcome.first_changed):
        output.print(Text(f"{len(outcome.first_changed)} are shown; --changed-to FILE writes all", style="dim"))


def _premium(amounts: dict[str, int]) -> str:
    return ", ".join(f"{Money(amount, code).major():,} {code}" for code, amount in sorted(amounts.items()) if amount)


def _timestamp(option: str, text: str) -> Timestamp | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text!r} is no RFC 3339 time or date") from None
    found = Timestamp()
    found.FromDatetime(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
    return found


def _read(file: Path) -> Iterator[application_pb2.Application]:
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield Parse(line, application_pb2.Application())
        except ParseError as error:
            problems.print(f"{file}:{number}: not an application: {error}", markup=False)
            raise typer.Exit(1) from None
