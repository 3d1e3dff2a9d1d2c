"""An insurer's list of the policies of a day, read page by page as configured."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sluice_server.domain.errors import InsurerUnavailable
from sluice_server.domain.orders.ports import ListedPolicy, PolicyDay
from sluice_server.insurers.answers import Answer
from sluice_server.insurers.configuration import PolicyList
from sluice_server.insurers.transport import HttpTransport

LONGEST_NUMBER = 128
MOST_PAGES = 1_000_000
"""An insurer whose list never ends is not followed further."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What the templates of a list may name."""

    day: date
    next_day: date
    start: str
    """RFC 3339, with the offset of the insurer's time zone, like ``end``."""
    end: str
    cursor: str
    """Of the page before; empty for the first one."""
    page: int
    """From 1."""


def policy_day(day: date | None, zone: ZoneInfo, *, now: datetime) -> PolicyDay:
    """A day of the calendar in ``zone``; None: the one before today."""
    chosen = day or now.astimezone(zone).date() - timedelta(days=1)
    return PolicyDay(
        chosen, datetime.combine(chosen, time(), zone), datetime.combine(chosen + timedelta(days=1), time(), zone)
    )


class PolicyPages:
    """The pages of an insurer's list."""

    def __init__(self, insurer_id: str, shape: PolicyList, transport: HttpTransport) -> None:
        self._insurer_id = insurer_id
        self._shape = shape
        self._transport = transport

    async def of(self, day: PolicyDay) -> AsyncIterator[Sequence[ListedPolicy]]:
        """The day's policies. Raises InsurerUnavailable."""
        cursor = ""
        for page in range(1, MOST_PAGES + 1):
            body = await self._page(day, cursor, page)
            items = self._shape.items.find(body)
            if not isinstance(items, list):
                raise self._unreadable(f"page {page} holds no list at {'.'.join(self._shape.items.steps) or 'its top'}")
            yield [self._policy(item, page) for item in items]
            if self._shape.next_cursor is None:
                if not items:
                    return
                continue
            following = self._shape.next_cursor.text(body)
            if not following:
                return
            if following == cursor:
                raise self._unreadable(f"page {page} leads to itself")
            cursor = following
        raise self._unreadable("the list does not end")

    async def _page(self, day: PolicyDay, cursor: str, page: int) -> object:
        request = ListRequest(
            day.day, day.day + timedelta(days=1), day.start.isoformat(), day.end.isoformat(), cursor, page
        )
        answer = await self._transport.call(
            "insurer.list", self._shape, request, left_seconds=self._shape.timeout_seconds
        )
        if isinstance(answer, Answer):
            if answer.status == 200:
                return answer.body
            raise self._unavailable(f"page {page} was answered with {answer.status}")
        raise self._unavailable(f"page {page}: {answer.error_code}, {answer.message}")

    def _policy(self, item: object, page: int) -> ListedPolicy:
        shape = self._shape
        number = shape.policy_number.text(item)[:LONGEST_NUMBER]
        application_id = "" if shape.application_id is None else shape.application_id.text(item)[:LONGEST_NUMBER]
        key = "" if shape.idempotency_key is None else shape.idempotency_key.text(item)[:LONGEST_NUMBER]
        if not number:
            raise self._unreadable(f"page {page} has a policy without a number")
        return ListedPolicy(number, application_id, key)

    def _unavailable(self, why: str) -> InsurerUnavailable:
        return InsurerUnavailable(
            f"the policies of {self._insurer_id!r} cannot be listed: {why}", insurer_id=self._insurer_id
        )

    def _unreadable(self, why: str) -> InsurerUnavailable:
        return self._unavailable(f"{why}; see list in the adapters' file")
