"""Reading what an insurer's answers mean: the part of an operation that becomes an AnswerMapping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from sluice_server.domain.located_yaml import Section
from sluice_server.insurers.answers import (
    CALLBACK_VERDICTS,
    INQUIRY_VERDICTS,
    SUBMISSION_VERDICTS,
    AnswerMapping,
    JsonPath,
    Rule,
    Settlement,
    Verdict,
)

_STATUS_CLASS = re.compile(r"[1-5]xx")
_PATH = re.compile(r"[^.\s]+(\.[^.\s]+)*")


class Use(Enum):
    """What a mapping is read for: the verdicts that its rules may give, and those that one of them must give."""

    SUBMISSION = (SUBMISSION_VERDICTS, frozenset({Verdict.SUCCESS, Verdict.PENDING}))
    INQUIRY = (INQUIRY_VERDICTS, frozenset({Verdict.SUCCESS}))
    CALLBACK = (CALLBACK_VERDICTS, frozenset({Verdict.SUCCESS}))


def read_mapping(
    section: Section, use: Use, *, settlement: Settlement, like: Section | None = None
) -> tuple[AnswerMapping, frozenset[Verdict]]:
    """The mapping in an operation, and what its rules can say. ``like``: the submission, whose paths hold where another
    operation names none."""
    verdicts, one_of = use.value
    rules = [_rule(rule, verdicts) for rule in section.sections("outcomes")]
    said = frozenset(v for rule in rules for v in (*rule.table.values(), rule.verdict) if v is not None)
    if not said & one_of:
        names = " or ".join(sorted(one_of, reverse=True))
        section.report("outcomes", f"no rule says {names}, so it would never be known")
    if use is Use.INQUIRY and Verdict.NOT_FOUND not in said:
        section.report("outcomes", "no rule says NOT_FOUND, so it would never be known")
    mapping = AnswerMapping(
        rules=rules,
        policy_number=read_path(section, "policy_number", like, required=True) or JsonPath(()),
        error_code=read_path(section, "error_code", like),
        message=read_path(section, "message", like),
        reference=read_path(section, "reference", like),
        settlement=settlement,
    )
    return mapping, said


def read_path(section: Section, key: str, like: Section | None, *, required: bool = False) -> JsonPath | None:
    if like is not None and key not in section:
        section.get(key)
        # A mistake in it is reported where it stands.
        inherited = like.plain(key)
        return _json_path(inherited) if isinstance(inherited, str) else None
    text = section.text(key, required=required)
    if not text:
        return None
    path = _json_path(text)
    if path is None:
        section.report(key, "must be names with dots between them, such as error.code")
    return path


def _json_path(text: str) -> JsonPath | None:
    return JsonPath(tuple(text.split("."))) if _PATH.fullmatch(text) else None


def _rule(section: Section, verdicts: Sequence[Verdict]) -> Rule:
    names = [v.value for v in verdicts]
    statuses = _statuses(section)
    path = read_path(section, "path", None)
    table: dict[str, Verdict] = {}
    verdict: Verdict | None = None
    entries = section.section("table")
    if entries is None:
        name = section.one_of("outcome", names, required=True)
        verdict = Verdict(name) if name else None
        values = _values(section)
        if values and verdict is not None:
            table = dict.fromkeys(values, verdict)
    else:
        if "outcome" in section or "in" in section:
            section.report("table", "stands instead of outcome and in")
            section.get("outcome")
            section.get("in")
        for code in entries:
            name = entries.one_of(code, names, required=True)
            if name:
                table[code] = Verdict(name)
    if path is None and ("table" in section or "in" in section) and "path" not in section:
        section.report("path", "is required: where the value is that is compared")
    if not statuses and path is None and "path" not in section and "status" not in section:
        section.report("outcome", "has no condition; give a status, a path or both")
    section.done()
    return Rule(statuses, path, table, None if table else verdict)


def _values(section: Section) -> list[str]:
    value = section.plain("in")
    if value is None:
        return []
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        # Without quotes YAML would read 0000 as 0.
        section.report("in", "must be a list of codes in quotes")
        return []
    return value


def _statuses(section: Section) -> tuple[range, ...]:
    value = section.plain("status")
    if value is None:
        return ()
    found = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, int) and not isinstance(item, bool) and 100 <= item <= 599:
            found.append(range(item, item + 1))
        elif isinstance(item, str) and _STATUS_CLASS.fullmatch(item):
            found.append(range(int(item[0]) * 100, int(item[0]) * 100 + 100))
        else:
            section.report("status", f"{item!r} is no HTTP status; write 200, 2xx or a list of them")
    return tuple(found)
