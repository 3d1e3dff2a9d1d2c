"""Between the messages of the policies' reconciliation and the domain."""

from __future__ import annotations

from datetime import date
from typing import cast

from google.protobuf.timestamp_pb2 import Timestamp

from sluice.insurer.v1 import reconciliation_pb2 as pb
from sluice_server.api.insurer.checks import Checks
from sluice_server.api.insurer.wire import INSURER_ID
from sluice_server.domain.orders.policies import OrphanKind, PolicyOrphan, PolicyReconciliation

_KIND = {kind: cast("pb.OrphanKind", pb.OrphanKind.Value(f"ORPHAN_KIND_{kind}")) for kind in OrphanKind}


def wanted(request: pb.ReconcilePoliciesRequest | pb.GetPolicyReconciliationRequest) -> tuple[str, date | None]:
    """The insurer and the day; None where none is given. Raises InvalidInput."""
    checks = Checks()
    insurer_id = checks.text("insurer_id", request.insurer_id, most=64, required=True, pattern=INSURER_ID)
    day = None
    if request.day:
        try:
            day = date.fromisoformat(request.day)
        except ValueError:
            checks.refuse("day", "must be a date such as 2026-03-01")
        else:
            if len(request.day) != len("2026-03-01"):
                checks.refuse("day", "must be a date such as 2026-03-01")
            elif day == date.max or day.year < 2000:
                checks.refuse("day", "must be a day since 2000")
    checks.raise_if_any()
    return insurer_id, day


def message(found: PolicyReconciliation) -> pb.PolicyReconciliation:
    rendered = pb.PolicyReconciliation(
        insurer_id=found.insurer_id,
        day=found.day.isoformat(),
        start_time=Timestamp(),
        policies=found.policies,
        orders=found.orders,
        orphan_count=found.orphan_count,
        orphans=[_orphan(orphan) for orphan in found.orphans],
    )
    rendered.start_time.FromDatetime(found.started_at)
    if found.finished_at is not None:
        rendered.finish_time.FromDatetime(found.finished_at)
    return rendered


def _orphan(orphan: PolicyOrphan) -> pb.PolicyOrphan:
    return pb.PolicyOrphan(
        kind=_KIND[orphan.kind],
        application_id=orphan.application_id,
        policy_number=orphan.policy_number,
        stored_policy_number=orphan.stored_policy_number,
        order_state=orphan.order_state,
        stored_insurer_id=orphan.stored_insurer_id,
    )
