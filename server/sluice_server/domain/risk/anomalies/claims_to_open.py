"""The claims of abnormal entities that a person should open first, from the table ``claim_evidence``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.result_rows import Kind, ResultRows

TABLE = "claim_evidence"
COLUMNS: Mapping[str, Kind] = {
    "entity_kind": str,
    "entity_id": str,
    "reason": str,
    "rank": int,
    "claim_id": str,
    "policy_id": str,
    "month": date,
    "part_code": str,
    "fault_code": str,
    "incurred_minor": int,
    "expected_minor": int,
    "days_since_start": int,
    "days_since_previous_claim": int,
}
REASON_OF = {
    "claim_cost": "COST",
    "cost_against_peers": "COST",
    "repeat_claims": "REPEAT",
    "early_claims": "EARLY",
}
"""By indicator why the claims stand out that speak for it. The others tell of many claims and of none in particular."""


@dataclass(frozen=True, slots=True)
class ClaimToOpen:
    """A claim beside what the same part of the same device category costs. Amounts in minor units."""

    claim_id: str
    policy_id: str
    month: date
    part: str
    fault: str
    incurred: int
    expected: int
    days_since_start: int
    days_since_previous_claim: int | None
    """None for the first claim on a policy."""


ClaimsByReason = Mapping[tuple[str, str], Sequence[ClaimToOpen]]
"""By entity's id and reason, in the order in which to open them."""


async def read_claims_to_open(
    reader: RiskReader, entity: str, entity_ids: Sequence[str], data_version: int
) -> ClaimsByReason:
    """Of these entities alone; nothing where an older job filled the store. Raises DataVersionNotFound, Unavailable."""
    if not entity_ids:
        return {}
    only = {"entity_kind": (entity,), "entity_id": entity_ids}
    rows = await reader.rows(TABLE, COLUMNS, data_version, only)
    return {} if rows is None else _by_reason(rows)


def _by_reason(rows: ResultRows) -> ClaimsByReason:
    claims = map(
        ClaimToOpen,
        rows.strings("claim_id"),
        rows.strings("policy_id"),
        rows.days("month"),
        rows.strings("part_code"),
        rows.strings("fault_code"),
        rows.whole_numbers("incurred_minor"),
        rows.whole_numbers("expected_minor"),
        rows.whole_numbers("days_since_start"),
        [None if days < 0 else days for days in rows.whole_numbers("days_since_previous_claim")],
    )
    keys = zip(rows.strings("entity_id"), rows.strings("reason"), strict=True)
    found: dict[tuple[str, str], list[ClaimToOpen]] = defaultdict(list)
    for _, key, claim in sorted(zip(rows.whole_numbers("rank"), keys, claims, strict=True), key=lambda one: one[0]):
        found[key].append(claim)
    return found
