"""The webhook's body by a JSON template: chat robots and ticket systems have forms of their own.

A template is any JSON value. In its strings ``${name}`` stands for

    ${text}      a line for each alarm, most severe first (cut at MOST_TEXT characters)
    ${title}     the most severe alarm's summary, and how many more there are
    ${count}     how many alarms are in the post
    ${severity}  the worst one: critical, warning, info
    ${status}    firing, or resolved when all of them are over

An object ``{"$each": X}`` as an element of a list becomes one X for each alarm; within X also

    ${id} ${key} ${name} ${summary} ${started} ${resolved} ${labels.NAME} ${annotations.NAME}

and ``${severity}`` and ``${status}`` are then the alarm's own. A string that is exactly ``${count}`` becomes the
number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from sluice_server.alerts.payload import alarm_id
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.errors import InvalidInput, Violation

EACH = "$each"
MOST_TEXT = 3_500
"""Characters: robots refuse longer texts (4,096 bytes are common)."""
MOST_DEPTH = 50
_NAME = re.compile(r"\$\{([^{}]*)\}")
_OF_ALL = frozenset({"text", "title", "count", "severity", "status"})
_OF_ONE = frozenset({"id", "key", "name", "summary", "started", "resolved"})
_MAPS = ("labels.", "annotations.")
_SEVERITIES = ("critical", "warning", "info")


class AlarmTemplate:
    """A checked template."""

    def __init__(self, source: str | bytes) -> None:
        """Raises InvalidInput that names every mistake."""
        try:
            self._template = orjson.loads(source)
        except orjson.JSONDecodeError as error:
            raise InvalidInput([Violation("alarm_webhook_template", f"is not JSON: {error}")]) from None
        violations = list(_mistakes(self._template, "", within_each=False, depth=0))
        if violations:
            raise InvalidInput(violations)

    def body(self, alarms: Sequence[Alarm], is_over: Callable[[Alarm], bool]) -> bytes:
        """The post's body. ``is_over``: whether an alarm is resolved by now."""
        ordered = sorted(alarms, key=lambda alarm: _rank(alarm.severity))
        return orjson.dumps(_filled(self._template, _of_all(ordered, is_over), ordered, is_over))


def _mistakes(value: Any, path: str, *, within_each: bool, depth: int) -> Iterator[Violation]:
    place = f"alarm_webhook_template{path}"
    if depth > MOST_DEPTH:
        yield Violation(place, f"is deeper than {MOST_DEPTH} levels")
    elif isinstance(value, str):
        for name in _NAME.findall(value):
            known = name in _OF_ALL or (within_each and (name in _OF_ONE or name.startswith(_MAPS)))
            if not known:
                where = " here" if name in _OF_ONE or name.startswith(_MAPS) else ""
                names = sorted(_OF_ALL | (_OF_ONE if within_each else frozenset()))
                yield Violation(place, f"${{{name}}} is unknown{where}; there are {', '.join(names)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict) and EACH in item:
                if within_each or len(item) > 1:
                    yield Violation(f"{place}[{index}]", f"{EACH} stands alone in its object, and not within another")
                yield from _mistakes(item[EACH], f"{path}[{index}].{EACH}", within_each=True, depth=depth + 1)
            else:
                yield from _mistakes(item, f"{path}[{index}]", within_each=within_each, depth=depth + 1)
    elif isinstance(value, dict):
        if EACH in value:
            yield Violation(place, f"{EACH} must be an element of a list")
        for name, item in value.items():
            if name != EACH:
                yield from _mistakes(item, f"{path}.{name}", within_each=within_each, depth=depth + 1)


def _filled(value: Any, names: Mapping[str, str], alarms: Sequence[Alarm], is_over: Callable[[Alarm], bool]) -> Any:
    if isinstance(value, str):
        if value == "${count}":
            return len(alarms)
        return _NAME.sub(lambda found: names.get(found[1], ""), value)
    if isinstance(value, dict):
        return {name: _filled(item, names, alarms, is_over) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    filled: list[Any] = []
    for item in value:
        if isinstance(item, dict) and EACH in item:
            of_each = ({**names, **_of_one(alarm, over=is_over(alarm))} for alarm in alarms)
            filled.extend(_filled(item[EACH], one, alarms, is_over) for one in of_each)
        else:
            filled.append(_filled(item, names, alarms, is_over))
    return filled


def _of_all(ordered: Sequence[Alarm], is_over: Callable[[Alarm], bool]) -> dict[str, str]:
    more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
    return {
        "text": _text(ordered, is_over),
        "title": f"{ordered[0].summary}{more}" if ordered else "",
        "count": str(len(ordered)),
        "severity": ordered[0].severity if ordered else _SEVERITIES[-1],
        "status": _status(over=all(is_over(alarm) for alarm in ordered)),
    }


def _of_one(alarm: Alarm, *, over: bool) -> dict[str, str]:
    return {
        "id": alarm_id(alarm),
        "key": alarm.key,
        "name": alarm.name,
        "summary": alarm.summary,
        "severity": alarm.severity,
        "status": _status(over=over),
        "started": alarm.starts_at.isoformat(),
        "resolved": alarm.resolved_at.isoformat() if alarm.resolved_at else "",
        **{f"labels.{name}": value for name, value in alarm.labels.items()},
        **{f"annotations.{name}": value for name, value in alarm.annotations.items()},
    }


def _text(ordered: Sequence[Alarm], is_over: Callable[[Alarm], bool]) -> str:
    lines: list[str] = []
    length = 0
    for number, alarm in enumerate(ordered):
        mark = "resolved" if is_over(alarm) else alarm.severity
        line = f"[{mark}] {alarm.summary}"[:MOST_TEXT]
        length += len(line) + 1
        if length > MOST_TEXT and lines:
            lines.append(f"… and {len(ordered) - number} more")
            break
        lines.append(line)
    return "\n".join(lines)


def _status(*, over: bool) -> str:
    return "resolved" if over else "firing"


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
