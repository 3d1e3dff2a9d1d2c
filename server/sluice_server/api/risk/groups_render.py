"""From risk groups to RiskQuery's answers."""

from __future__ import annotations

from sluice.risk.v1 import anomalies_pb2
from sluice_server.api.risk.groups_wire import SIDES, SOURCES
from sluice_server.api.risk.render import interval, stamp, timestamp
from sluice_server.domain.risk.groups.ports import GroupRun, RiskGroup
from sluice_server.domain.risk.groups.read import RiskGroupPage


def risk_group_page(found: RiskGroupPage) -> anomalies_pb2.ListRiskGroupsResponse:
    return anomalies_pb2.ListRiskGroupsResponse(
        risk_groups=[_group(one) for one in found.groups],
        total_size=found.total_size,
        next_page_token=found.next_page_token,
        permuted_accepted=found.run.permuted_accepted,
        data=stamp(found.run.stamp),
        run=_run(found.run),
    )


def _group(group: RiskGroup) -> anomalies_pb2.RiskGroup:
    judged = group.judged
    return anomalies_pb2.RiskGroup(
        risk_group_id=group.risk_group_id,
        conditions=[
            anomalies_pb2.RiskGroupCondition(dimension=one.dimension, any_of=[one.value]) for one in judged.conditions
        ],
        source=SOURCES[judged.source],
        accepted=judged.accepted,
        refusal=judged.refusal,
        effect=judged.effect,
        effect_interval=interval(judged.effect_interval),
        p_value=judged.p_value,
        q_value=judged.q_value,
        exposure_years=judged.exposure,
        claims=int(judged.outcomes),
        summary_en=group.summary.en,
        summary_zh=group.summary.zh,
        side=SIDES[judged.side],
        discovery_effect=judged.discovery_effect,
        also_by_search=judged.also_by_search,
    )


def _run(run: GroupRun) -> anomalies_pb2.RiskGroupRun:
    return anomalies_pb2.RiskGroupRun(
        create_time=timestamp(run.created_at),
        seed=run.seed,
        split=run.split,
        false_discovery_rate=run.false_discovery_rate,
        minimum_share=run.minimum_share,
        tried=run.tried,
        proposed=run.proposed,
        accepted=run.accepted,
        permuted_proposed=run.permuted_proposed,
        permuted_accepted=run.permuted_accepted,
        refused_proposals=run.refused_proposals,
        llm_model=run.llm_model,
        llm_tokens=run.llm_tokens,
        llm_failure=run.llm_failure,
    )
