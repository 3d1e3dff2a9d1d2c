"""What the jobs found about the input, and whether it may be published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Findings = Mapping[tuple[str, str], int]
"""Rows by (source table, finding), as in the result table source_check."""

REJECT_FINDINGS = frozenset(
    {
        "MISSING_VALUE", "BAD_TYPE", "BAD_TIME", "BAD_STATUS", "BAD_AMOUNT", "END_BEFORE_START", "TERM_TOO_LONG",
        "DUPLICATE_KEY", "UNKNOWN_POLICY", "REJECTED_POLICY",
    }
)  # fmt: skip
_CURRENCY = "CURRENCY_"


class JobFailed(RuntimeError):
    """The job could not produce results that may be published; the message says what to mend. Nothing was published."""


def read_findings(rows: Sequence[Sequence[object]]) -> dict[tuple[str, str], int]:
    """The rows of the result table source_check."""
    return {(str(source), str(finding)): int(str(count)) for source, finding, count in rows}


def rejects(findings: Findings) -> dict[str, dict[str, int]]:
    """Rejected rows by source table and reason."""
    found: dict[str, dict[str, int]] = {}
    for (source, finding), count in sorted(findings.items()):
        if finding in REJECT_FINDINGS and count > 0:
            found.setdefault(source, {})[finding] = count
    return found


def currencies(findings: Findings) -> list[str]:
    """The currencies of good policies and orders."""
    return sorted({name.removeprefix(_CURRENCY) for (_, name) in findings if name.startswith(_CURRENCY)})


def judge(findings: Findings, rows: Mapping[str, int], reject_limit: float) -> None:
    """Raise `JobFailed` where the findings forbid to publish, naming each of them. `rows`: all rows by source table."""
    reasons = []
    if len(found := currencies(findings)) > 1:
        reasons.append(f"mixed currencies: {', '.join(found)}; one store holds one currency")
    for source, counts in rejects(findings).items():
        if sum(counts.values()) > reject_limit * rows.get(source, 0):
            named = ", ".join(f"{finding} {n:,}" for finding, n in sorted(counts.items()))
            reasons.append(f"{source}: more than {reject_limit:.1%} of {rows.get(source, 0):,} rows rejected: {named}")
    if reasons:
        raise JobFailed("nothing published: " + "; ".join(reasons))
