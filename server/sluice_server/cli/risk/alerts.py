"""``sluice risk alerts``: when a rule would have fired over a series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.risk.answers import plain, print_json, refusals
from sluice_server.cli.risk.tables import TableFile
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.alerts.replay import Moment, RaisedAlert, Replay, replay
from sluice_server.domain.risk.alerts.rule import AlertRule, rule_from

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def alerts(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet.", exists=True, dir_okay=False, readable=True)],
    time: Annotated[str, typer.Option(help="Column with a date or time.")],
    value: Annotated[str, typer.Option(help="Column with the value that is watched.")],
    rule: Annotated[
        Path,
        typer.Option(
            help="YAML: comparison (ABOVE, BELOW), threshold or baseline_deviations with season and history, "
            "hysteresis, minimum_volume, for_duration, severity, owner.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    volume: Annotated[str, typer.Option(help="Column with what the value rests on, for minimum_volume.")] = "",
    as_json: AsJson = False,
) -> None:
    """Replay an alert rule over a series and show when it would have fired and resolved."""
    with refusals(as_json):
        wanted = read_rule(rule)
        source = TableFile(file)
        source.need([time, value, volume])
        days = source.days(time)
        values = source.numbers(value, empty=np.nan)
        volumes = source.numbers(volume) if volume else None
        source.check()
        _check(wanted, days, volumes is not None)
        series = [
            Moment(
                _EPOCH + timedelta(seconds=round(float(day) * 86_400, 3)),
                float(values[i]),
                None if volumes is None else float(volumes[i]),
            )
            for i, day in enumerate(days)
        ]
        found = replay(wanted, series)
    if as_json:
        print_json(_answer(wanted, found))
        return
    table = Table("state", "severity", "start", "fired", "resolved", "value", "limit", "worst", "moments", box=None)
    for one in found.alerts:
        table.add_row(
            one.state,
            wanted.severity,
            _written(one.start) or "",
            _written(one.fired) or "",
            _written(one.resolved) or "",
            f"{one.value:.6g}",
            f"{one.limit:.6g}",
            f"{one.worst:.6g}",
            str(one.moments),
        )
    output.print(table)
    output.print(
        f"fired {found.fired} times in {found.moments:,} moments; {found.nearly} times not for long enough; "
        f"{found.without_volume} moments without volume or value, {found.without_limit} before a baseline"
    )


def read_rule(path: Path) -> AlertRule:
    """Raises InvalidInput naming every wrong field."""
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput([Violation(str(path), f"is no YAML: {' '.join(str(error).split())}")]) from error
    return rule_from(document)


def _check(rule: AlertRule, days: np.ndarray[tuple[int], np.dtype[np.float64]], has_volume: bool) -> None:
    violations = []
    if rule.minimum_volume > 0 and not has_volume:
        violations.append(Violation("volume", "the rule has a minimum_volume: name the column with --volume"))
    if len(np.unique(days)) < len(days):
        violations.append(Violation("time", "has equal moments: one series is wanted, with one value at a time"))
    if violations:
        raise InvalidInput(violations)


def _answer(rule: AlertRule, found: Replay) -> dict[str, object]:
    return {
        "title": rule.title,
        "severity": rule.severity,
        "owner": rule.owner,
        "fired": found.fired,
        "alerts": [_alert(one) for one in found.alerts],
        "moments": found.moments,
        "without_volume": found.without_volume,
        "without_limit": found.without_limit,
        "nearly": found.nearly,
    }


def _alert(alert: RaisedAlert) -> dict[str, object]:
    times = {"start": alert.start, "fired": alert.fired, "resolved": alert.resolved}
    rest = {"value": alert.value, "limit": alert.limit, "worst": alert.worst, "moments": alert.moments}
    return {"state": plain(alert.state), **{name: _written(at) for name, at in times.items()}, **rest}


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
