"""Between the messages of SimulatePlan and the domain."""

from __future__ import annotations

from sluice.routing.v1 import routing_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.routing import wire
from sluice_server.api.routing.applications import application_in
from sluice_server.api.routing.fields import Fields
from sluice_server.api.routing.limits import RequestLimits
from sluice_server.domain.money import Money
from sluice_server.domain.routing.simulate import LARGEST_LIMIT, Simulation, SimulationStep


def request(message: routing_pb2.SimulatePlanRequest, limits: RequestLimits) -> Simulation:
    """Raises InvalidInput with every violation."""
    fields = Fields(limits)
    version = 0
    if message.WhichOneof("draft") is None:
        fields.wrong("draft", "required: source or version")
    elif message.HasField("version"):
        version = fields.whole("version", message.version, minimum=1, maximum=wire.MAXIMUM_VERSION)
    elif not message.source:
        fields.wrong("source", "required")
    after = fields.moment("created_after", message.created_after, given=message.HasField("created_after"))
    before = fields.moment("created_before", message.created_before, given=message.HasField("created_before"))
    if after is not None and before is not None and after >= before:
        fields.wrong("created_before", "must be later than created_after")
    applications = message.applications
    limit = fields.whole("limit", message.limit, minimum=0, maximum=LARGEST_LIMIT)
    if applications and (after is not None or before is not None or limit):
        fields.wrong(
            "applications", "not together with created_after, created_before or limit, which choose stored ones"
        )
    if len(applications) > limits.max_simulated:
        accepted = f"at most {limits.max_simulated} are accepted (max_simulated)"
        fields.wrong("applications", f"{len(applications)} applications; {accepted}")
        fields.done()
    fields.repeated("applications", (a.application_id for a in applications), "application_id")
    read = tuple(application_in(a, fields, f"applications[{i}]") for i, a in enumerate(applications))
    fields.done()
    return Simulation(message.source, version, read, after, before, limit)


def response(step: SimulationStep) -> routing_pb2.SimulatePlanResponse:
    return routing_pb2.SimulatePlanResponse(
        replayed=step.replayed,
        total=step.total,
        shares=[
            routing_pb2.SimulatedShare(
                insurer_id=share.insurer_id,
                rule=share.rule,
                applications=share.applications,
                applications_before=share.applications_before,
                premium=_money(share.premium),
                premium_before=_money(share.premium_before),
            )
            for share in step.shares
        ],
        changed=[
            routing_pb2.ChangedApplication(
                application_id=each.application_id,
                insurer_id_before=each.insurer_id_before,
                insurer_id=each.insurer_id,
                rule=each.rule,
                rule_before=each.rule_before,
            )
            for each in step.changed
        ],
        changed_count=step.changed_count,
        unmatched_count=step.unmatched_count,
    )


def _money(money: Money) -> money_pb2.Money:
    return money_pb2.Money(amount_minor=money.amount_minor, currency_code=money.currency_code)
