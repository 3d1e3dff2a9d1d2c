"""``sluice risk rules``: alert rules from a file to a server, tried on its history first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from rich.table import Table
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sluice.client import Sluice
from sluice.risk.v1 import alerts_pb2, query_pb2
from sluice_server.cli.connection import DEFAULT_ADDRESS, ActorName, Address, AsJson, Reason, output, server
from sluice_server.cli.risk.answers import print_json, refusals
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.alerts.rule import rule_from


def rules(
    file: Annotated[
        Path,
        typer.Argument(
            help="YAML: a list 'rules' of alert rules, see docs/warnings.md.",
            exists=True,
            dir_okay=False,
            readable=True,
        ),
    ],
    reason: Reason = "",
    validate_only: Annotated[bool, typer.Option(help="Only show how often they would have fired.")] = False,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Save the alert rules of a file, or try them on the history of the server's data."""
    with refusals(as_json):
        read = read_rules(file)
        if not reason and not validate_only:
            raise InvalidInput([Violation("--reason", "is needed to save rules: it is kept in the audit trail")])
    answers = []
    with server(address, actor) as connection:
        known = _etags(connection)
        for one in read:
            one.etag = known.get(one.alert_rule_id, "")
            request = alerts_pb2.SaveAlertRuleRequest(
                alert_rule=one, reason=reason or "tried", validate_only=validate_only
            )
            answers.append(connection.risk.SaveAlertRule(request))
    if as_json:
        print_json([_plain(one) for one in answers])
        return
    table = Table(
        "rule", "version", "series", "values", "would have fired", "firing", "nearly", "first", "last", box=None
    )
    for answer in answers:
        found = answer.replay_summary
        table.add_row(
            answer.alert_rule.alert_rule_id,
            "tried" if validate_only else str(answer.alert_rule.version),
            f"{found.series:,}",
            f"{found.moments:,}",
            f"{found.fired:,}",
            f"{found.firing:,}",
            f"{found.nearly:,}",
            f"{found.first_time.ToDatetime():%Y-%m-%d}" if found.HasField("first_time") else "",
            f"{found.last_time.ToDatetime():%Y-%m-%d}" if found.HasField("last_time") else "",
        )
    output.print(table)


def read_rules(path: Path) -> list[alerts_pb2.AlertRule]:
    """Raises InvalidInput naming every wrong field of every rule."""
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput([Violation(str(path), f"is no YAML: {' '.join(str(error).split())}")]) from error
    listed = document.get("rules") if isinstance(document, Mapping) else None
    if not isinstance(listed, list) or not listed:
        raise InvalidInput([Violation("rules", "must be a list of at least one alert rule")])
    wrong: list[Violation] = []
    found = []
    for i, one in enumerate(listed):
        try:
            found.append(_message(one))
        except InvalidInput as error:
            wrong += [Violation(f"rules[{i}].{part.field}", part.description) for part in error.violations]
    if wrong:
        raise InvalidInput(wrong)
    return found


def _message(one: object) -> alerts_pb2.AlertRule:
    condition = rule_from(one)
    assert isinstance(one, Mapping), "rule_from has looked"
    rule = alerts_pb2.AlertRule(
        alert_rule_id=str(one.get("alert_rule_id", "")),
        title=condition.title,
        metric=str(one.get("metric", "")),
        dimensions=[str(name) for name in one.get("dimensions", [])],
        filters=[_filter(part) for part in one.get("filters", [])],
        comparison=f"COMPARISON_{condition.comparison}",
        hysteresis=condition.hysteresis,
        minimum_exposure=condition.minimum_volume,
        evidence=_evidence(one.get("evidence", "VALUE")),
        severity=f"SEVERITY_{condition.severity}",
        owner=condition.owner,
        enabled=bool(one.get("enabled", True)),
        time_dimension=str(one.get("time_dimension", "")),
    )
    if condition.for_duration:
        rule.for_duration.FromTimedelta(condition.for_duration)
    if condition.threshold is not None:
        rule.threshold = condition.threshold
    if condition.baseline is not None:
        rule.baseline_deviations = condition.baseline.deviations
        rule.history = condition.baseline.history
        if condition.baseline.season is not None:
            season = Duration()
            season.FromTimedelta(condition.baseline.season)
            rule.season.CopyFrom(season)
    return rule


def _filter(part: object) -> query_pb2.Filter:
    known = {"dimension", "any_of", "none_of", "at_least", "below", "last"}
    if not isinstance(part, Mapping) or not set(part) <= known or type(part.get("last", 0)) is not int:
        raise InvalidInput([Violation("filters", "each has dimension and any_of, none_of, at_least, below or last")])
    return query_pb2.Filter(
        dimension=str(part.get("dimension", "")),
        any_of=[str(value) for value in part.get("any_of", [])],
        none_of=[str(value) for value in part.get("none_of", [])],
        at_least=str(part.get("at_least", "")),
        below=str(part.get("below", "")),
        last=part.get("last", 0),
    )


def _evidence(word: object) -> str:
    name = str(word).upper()
    if name not in {"VALUE", "INTERVAL"}:
        raise InvalidInput([Violation("evidence", "must be one of VALUE, INTERVAL")])
    return f"EVIDENCE_{name}"


def _etags(connection: Sluice) -> dict[str, str]:
    """Of the rules that the server has."""
    found: dict[str, str] = {}
    token = ""
    while True:
        page = connection.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest(page_size=1000, page_token=token))
        found |= {one.alert_rule_id: one.etag for one in page.alert_rules}
        token = page.next_page_token
        if not token:
            return found


def _plain(answer: alerts_pb2.SaveAlertRuleResponse) -> dict[str, object]:
    found = answer.replay_summary
    return {
        "alert_rule_id": answer.alert_rule.alert_rule_id,
        "version": answer.alert_rule.version,
        "series": found.series,
        "moments": found.moments,
        "fired": found.fired,
        "firing": found.firing,
        "nearly": found.nearly,
        "alerts": [
            {
                "dimensions": dict(one.dimensions),
                "start": one.start_time.ToJsonString(),
                "fired": one.fire_time.ToJsonString() if one.HasField("fire_time") else None,
                "resolved": one.resolve_time.ToJsonString() if one.HasField("resolve_time") else None,
                "summary": one.summary_en,
            }
            for one in answer.replay
        ],
    }
