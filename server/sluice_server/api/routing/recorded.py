"""A decision as a client has read it, back in the domain's words: for those who derive it again."""

from __future__ import annotations

from datetime import UTC
from typing import cast

from sluice.routing.v1 import decision_pb2
from sluice_server.domain.routing.model import Binding, Candidate, Decision, Disposition
from sluice_server.domain.routing.source.fields import FactorValue

_PREFIX = "DISPOSITION_"


def decision(message: decision_pb2.Decision) -> Decision:
    """Raises ValueError for a disposition that this version does not know."""
    binding = message.binding
    return Decision(
        decision_id=message.decision_id,
        application_id=message.application_id,
        number=message.number,
        disposition=Disposition(decision_pb2.Disposition.Name(message.disposition).removeprefix(_PREFIX)),
        insurer_id=message.insurer_id,
        binding=Binding(
            insurer_product_code=binding.insurer_product_code,
            insurer_plan_code=binding.insurer_plan_code,
            endpoint=binding.endpoint,
            parameters=dict(binding.parameters),
        )
        if message.HasField("binding")
        else None,
        plan_name=message.plan_name,
        plan_version=message.plan_version,
        rule=message.rule,
        factors={name: _factor(message, name) for name in message.factors.fields},
        split_key=message.split_key,
        ledger_position=message.ledger_position if message.HasField("ledger_position") else None,
        candidates=tuple(
            Candidate(
                insurer_id=candidate.insurer_id,
                share_basis_points=candidate.share_basis_points,
                weight_basis_points=candidate.weight_basis_points,
                excluded_because=candidate.excluded_because,
            )
            for candidate in message.candidates
        ),
        traffic_version=message.traffic_version,
        ledger_orders=tuple(c.ledger_orders for c in message.candidates) if message.HasField("ledger_position") else (),
        decided_at=message.decide_time.ToDatetime(tzinfo=UTC),
    )


def _factor(message: decision_pb2.Decision, name: str) -> FactorValue:
    """Struct knows no whole numbers: they come back as doubles."""
    value = message.factors.fields[name]
    kind = value.WhichOneof("kind")
    return cast(FactorValue, getattr(value, kind)) if kind else ""
