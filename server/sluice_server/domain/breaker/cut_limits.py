"""Whom the rules over all breakers keep, although its evidence trips: the last insurer, and what would be too much.

How much is cut is a share of traffic: of the orders that were decided in TRAFFIC_WINDOW before the oldest incident that
is still open, and before the first failure of the run that is judged, because an insurer that is cut gets no orders by
which its share could be told. Where there were none, all insurers have equal shares. A product line's breaker is held
against the orders of that line, an insurer's against all, those of product lines that are cut alone included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sluice_server.domain.breaker.machine import admission
from sluice_server.domain.breaker.model import Breaker, BreakerPolicy, Scope
from sluice_server.domain.unit_of_work import UnitOfWork

TRAFFIC_WINDOW = timedelta(minutes=30)
NO_LIMIT_BASIS_POINTS = 10_000
_MOST_INCIDENTS = 1_000


def limits_traffic(policy: BreakerPolicy) -> bool:
    """Whether it has a limit for which the traffic must be known."""
    return policy.maximum_cut_basis_points < NO_LIMIT_BASIS_POINTS


async def read_traffic(uow: UnitOfWork, began: datetime) -> Mapping[Scope, int]:
    """The orders by which shares are told, by insurer and product line. ``began``: the trouble that is judged."""
    standing = await uow.incidents.list(insurer_id="", open_only=True, before=None, limit=_MOST_INCIDENTS)
    # The orders that failed may have been given to others since.
    end = min([began, *(incident.opened_at for incident in standing)])
    return await uow.evidence.traffic(decided_from=end - TRAFFIC_WINDOW, decided_until=end)


def kept_because(breaker: Breaker, breakers: Iterable[Breaker], traffic: Mapping[Scope, int]) -> str:
    """The rule that forbids an automatic cut; empty when none does. ``traffic``: orders by insurer and product line."""
    line, limit = breaker.scope.product_line, breaker.policy.maximum_cut_basis_points
    admitted: dict[str, int] = {}
    cut = {breaker.scope}
    for each in breakers:
        part = admission(each).admitted_basis_points
        if part == 0:
            cut.add(each.scope)
        if each.scope.product_line in ("", line):
            insurer = each.scope.insurer_id
            admitted[insurer] = min(part, admitted.get(insurer, part))
    others = (part for insurer, part in admitted.items() if insurer != breaker.scope.insurer_id)
    if breaker.policy.keep_last_insurer and not any(others):
        return "it is the only insurer that still takes traffic"
    if not limits_traffic(breaker.policy):
        return ""
    counted = {each: orders for each, orders in traffic.items() if not line or each.product_line == line}
    total = sum(counted.values())
    if not total:
        counted, total = {Scope(insurer, line): 1 for insurer in admitted}, len(admitted)
    stopped = sum(orders for each, orders in counted.items() if each in cut or Scope(each.insurer_id) in cut)
    if stopped * 10_000 > limit * total:
        return (
            f"with it {100 * stopped / total:.1f} % of the traffic{f' of {line}' if line else ''} would be cut, "
            f"more than {limit / 100:g} % may be at once"
        )
    return ""
