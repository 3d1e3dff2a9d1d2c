"""From RiskQuery's request about risk groups to parameters."""

from __future__ import annotations

from sluice.risk.v1 import anomalies_pb2
from sluice_server.api.risk.wire import Checks
from sluice_server.domain.risk.groups.group import Side, Source
from sluice_server.domain.risk.groups.read import ListRiskGroupsParams

SOURCES = {
    Source.LLM: anomalies_pb2.RISK_GROUP_SOURCE_LLM,
    Source.SEARCH: anomalies_pb2.RISK_GROUP_SOURCE_SEARCH,
}
SIDES = {Side.HIGHER: anomalies_pb2.RISK_GROUP_SIDE_HIGHER, Side.LOWER: anomalies_pb2.RISK_GROUP_SIDE_LOWER}


def list_risk_groups_params(request: anomalies_pb2.ListRiskGroupsRequest) -> ListRiskGroupsParams:
    """What is wrong is told together with an unknown dimension, so it is not raised here."""
    checks = Checks()
    sources = {int(number): source for source, number in SOURCES.items()}
    sides = {0: None} | {int(number): side for side, number in SIDES.items()}
    for i, number in enumerate(request.sources):
        if number not in sources:
            checks.wrong(f"sources[{i}]", f"must be one of {', '.join(SOURCES)}")
    if request.side not in sides:
        checks.wrong("side", f"must be one of {', '.join(SIDES)}")
    return ListRiskGroupsParams(
        page=checks.page(request.page_size, request.page_token, 50),
        include_refused=request.include_refused,
        sources=tuple(dict.fromkeys(sources[number] for number in request.sources if number in sources)),
        dimension=request.dimension[:1000],
        side=sides.get(request.side),
        data_version=checks.data_version(request.data_version),
        violations=checks.found,
    )
