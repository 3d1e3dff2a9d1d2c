"""What a decision and a plan cost without transport and store, in a process of its own: prints one JSON object."""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sluice_server.api.routing import applications
from sluice_server.domain.routing.model import Application, Decision
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import Admission, TrafficSnapshot
from sluice_server.domain.routing.source.compile import compile_plan
from tests.bench import plans
from tests.bench.servers import application

MANY_RULES, MANY_PRODUCTS = 50_000, 30_000
FEW_RULES, FEW_PRODUCTS = 10, 6
_DECISIONS = 5_000
_ROUNDS = 9
_NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_ALL = TrafficSnapshot(1, {})
_CUT = TrafficSnapshot(2, {("insurer-b", ""): Admission(0, "CUT")})


def measure() -> dict[str, float]:
    """The figures by name; times are this process's processor time, so that others on the machine disturb less."""
    source = plans.plan(MANY_RULES, MANY_PRODUCTS)
    before, began, cpu = _peak_megabytes(), time.perf_counter(), time.process_time()
    many = compile_plan(source, version=1)
    load_seconds, load_cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    load_megabytes = _peak_megabytes() - before
    few = compile_plan(plans.plan(FEW_RULES, FEW_PRODUCTS), version=1)
    gc.collect()
    gc.freeze()
    draw = random.Random(7)
    of_many = _applications(draw, MANY_PRODUCTS)
    of_few = _applications(draw, FEW_PRODUCTS)
    ratios, times = [], []
    for _ in range(_ROUNDS):
        # In turn, so that what else the machine does falls on both.
        few_seconds, many_seconds = _seconds(few, of_few), _seconds(many, of_many)
        ratios.append(many_seconds / few_seconds)
        times.append(many_seconds)
    return {
        "plan_load_seconds": load_seconds,
        "plan_load_cpu_seconds": load_cpu_seconds,
        "plan_load_megabytes": load_megabytes,
        "decision_seconds": statistics.median(times),
        "rules_ratio": statistics.median(ratios),
        "survivors_moved": _survivors_moved(few, of_few),
    }


def _applications(draw: random.Random, products: int) -> Sequence[Application]:
    return [
        applications.application(application(f"{place:010d}", product_code=plans.code(draw.randrange(products))))
        for place in range(_DECISIONS)
    ]


def _seconds(plan: CompiledPlan, applications: Sequence[Application]) -> float:
    """Of one decision."""
    gc.disable()
    began = time.process_time()
    for each in applications:
        _decide(plan, each, _ALL)
    took = time.process_time() - began
    gc.enable()
    return took / len(applications)


def _survivors_moved(plan: CompiledPlan, applications: Sequence[Application]) -> int:
    """How many applications of the insurers that stay change their insurer when another is cut."""
    moved = 0
    for each in applications:
        before = _decide(plan, each, _ALL).insurer_id
        after = _decide(plan, each, _CUT).insurer_id
        assert after != "insurer-b", "it is cut"
        moved += before not in ("insurer-b", after)
    return moved


def _decide(plan: CompiledPlan, each: Application, traffic: TrafficSnapshot) -> Decision:
    """Without an event loop: a decision by a STICKY rule waits for nothing."""
    try:
        plan.decide(each, traffic, now=_NOW).send(None)
    except StopIteration as done:
        decision: Decision = done.value
        return decision
    raise AssertionError("the decision waited for something")


def _peak_megabytes() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell VmHWM")


if __name__ == "__main__":
    print(json.dumps(measure()))
