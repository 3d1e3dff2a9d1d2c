"""``sluice breaker``: what a breaker would do, without a server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.outcome_file import OutcomeFile, Written
from sluice_server.domain.breaker.model import BreakerPolicy, Scope
from sluice_server.domain.breaker.replay import Replay, SimulatedTrip, Totals
from sluice_server.domain.breaker.replayed_order import OutOfOrder, moments
from sluice_server.domain.breaker.sequential import design_test
from sluice_server.domain.errors import InvalidInput

app = typer.Typer(no_args_is_help=True, help="Design the sequential test; replay outcomes against a policy.")

DEFAULT = BreakerPolicy()


@app.command()
def design(
    p0: Annotated[float, typer.Option(help="Technical failures in normal times.")] = DEFAULT.normal_failure_rate,
    p1: Annotated[float, typer.Option(help="Technical failures in an outage.")] = DEFAULT.outage_failure_rate,
    budget: Annotated[
        float, typer.Option(help="Mean orders between two false cuts.")
    ] = DEFAULT.mean_orders_between_false_cuts,
    as_json: AsJson = False,
) -> None:
    """Show what the sequential test does: its limit, its exact false-alarm run length, its exact detection delay."""
    try:
        test = design_test(p0, p1, budget)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    rates = sorted({p0, 2 * p0, 0.1, 0.3, 0.5, p1, 1.0} - {rate for rate in (2 * p0,) if rate > 1})
    lengths = {rate: test.mean_orders_to_alarm(rate) for rate in rates}
    if as_json:
        answer = {
            "p0": p0,
            "p1": p1,
            "budget": budget,
            "limit": test.limit * test.unit,
            "failure_weight": test.failure_weight * test.unit,
            "success_weight": -test.success_weight * test.unit,
            "failures_in_a_row": test.failures_in_a_row,
            "mean_orders_between_false_cuts": lengths[p0],
            "mean_orders_to_detection": lengths[p1],
            "mean_orders_to_cut_by_failure_rate": {f"{rate:g}": length for rate, length in lengths.items()},
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    output.print(
        f"cuts at {test.limit * test.unit:.2f}; a failure adds {test.failure_weight * test.unit:.2f}, "
        f"a success takes {test.success_weight * test.unit:.2f}; {test.failures_in_a_row} failures in a row cut"
    )
    table = Table("true failure rate", "mean orders to a cut (exact)", "")
    for rate, length in lengths.items():
        meaning = {p0: "between two false cuts", p1: "to detect the outage", 1.0: "a dead insurer"}.get(rate, "")
        table.add_row(f"{100 * rate:g} %", f"{length:,.1f}" if length < 1e6 else f"{length:.3g}", meaning)
    output.print(table)
    output.print("CUSUM of log likelihood ratios (Page 1954); run lengths by its Markov chain (Brook and Evans 1972)")


@app.command("replay")
def replay_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV with a header line.")],
    policy_file: Annotated[
        Path | None,
        typer.Option(
            "--policy",
            exists=True,
            dir_okay=False,
            help="YAML: field: value; under scopes: INSURER or INSURER/LINE: those of its own.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="field=value of the policy; may be given several times.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a policy would have cut. Columns: at, outcome; if you like insurer, product_line, latency_ms, count.

    keep_last_insurer and maximum_cut_basis_points hold in a file of several insurers, by its own traffic."""
    policy, own = _policies(policy_file, settings or [])
    try:
        trips, totals, written = _replayed(file, policy, own)
    except InvalidInput as invalid:
        raise typer.BadParameter("; ".join(f"{v.field}: {v.description}" for v in invalid.violations)) from None
    if as_json:
        answer = {
            "trips": [_trip_as_json(trip, written) for trip in trips],
            "orders": totals.orders,
            "wrongly_diverted": totals.wrongly_diverted,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    table = Table("at", "insurer", "evidence", "orders before", "failures", "backlog", "sequential")
    for trip in trips:
        seen = trip.evidence
        table.add_row(
            str(written(trip.at)),
            str(seen.scope),
            ", ".join(kind.lower() for kind in seen.tripped),
            str(trip.orders_before),
            f"{seen.failures} of {seen.outcomes}",
            f"{seen.backlog} of {seen.orders}",
            f"{seen.sequential_statistic:.1f} of {seen.sequential_limit:.1f}",
        )
    output.print(table)
    output.print(
        f"{len(trips)} cuts in {totals.orders} orders; {totals.orders_saved} failing orders saved, "
        f"{totals.wrongly_diverted} diverted although the insurer answered well"
    )


def _replayed(
    file: Path, policy: BreakerPolicy, own: Mapping[Scope, BreakerPolicy]
) -> tuple[list[SimulatedTrip], Totals, Written]:
    """While it is read, if it is in the order of time; else after all of it is read and sorted."""
    orders, replay = OutcomeFile(file), Replay(policy, own)
    try:
        steps = replay.steps(moments(orders, policy.backlog_grace_seconds))
        trips = [trip for trip in steps if trip is not None]
    except OutOfOrder:
        replay = Replay(policy, own)
        trips = list(replay.run(orders))
    return trips, replay.totals, orders.written


def _trip_as_json(trip: SimulatedTrip, written: Written) -> dict[str, Any]:
    return {
        "at": written(trip.at),
        "insurer": trip.evidence.scope.insurer_id,
        "product_line": trip.evidence.scope.product_line,
        "evidence": [str(kind) for kind in trip.evidence.tripped],
        "orders_before": trip.orders_before,
    }


def _policies(file: Path | None, settings: list[str]) -> tuple[BreakerPolicy, dict[Scope, BreakerPolicy]]:
    """The default policy with a file's fields, then with those of ``--set``; and what scopes have of their own."""
    changes: dict[str, Any] = {}
    if file is not None:
        try:
            loaded = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        except (YAMLError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{file}: {error}") from None
        if loaded is not None and not isinstance(loaded, dict):
            raise typer.BadParameter(f"{file}: must be a map from the policy's fields to values")
        changes.update(loaded or {})
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set {setting!r}: must be field=value")
        try:
            changes[name.strip()] = YAML(typ="safe").load(value)
        except YAMLError:
            raise typer.BadParameter(f"--set {setting!r}: {value!r} is not a value") from None
    scopes = changes.pop("scopes", None) or {}
    if not isinstance(scopes, dict) or not all(isinstance(own, dict) for own in scopes.values()):
        raise typer.BadParameter("scopes: must be a map from INSURER or INSURER/LINE to a map of fields")
    policy = replace(DEFAULT, **dict(_typed(changes)))
    named = {Scope(*str(name).split("/", 1)): dict(_typed(own)) for name, own in scopes.items()}
    # A product line has what its insurer has, but for what is its own.
    return policy, {
        scope: replace(policy, **(named.get(Scope(scope.insurer_id), {}) | own)) for scope, own in named.items()
    }


def _typed(changes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    known = {field.name: getattr(DEFAULT, field.name) for field in fields(BreakerPolicy)}
    for name, value in changes.items():
        if name not in known:
            raise typer.BadParameter(f"{name!r} is not a field of the policy: {', '.join(known)}")
        default = known[name]
        if isinstance(default, tuple):
            right = isinstance(value, list) and all(type(step) is int for step in value)
            value = tuple(value) if right else value
        elif isinstance(default, bool | int):
            right = type(value) is type(default)
        else:
            right = type(value) in (int, float)
        if not right:
            raise typer.BadParameter(f"{name}: {value!r} is not {_KINDS[type(default)]}")
        yield name, value


_KINDS: dict[type, str] = {
    tuple: "a list of whole numbers",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
