"""Kills and breaks things at length; exit 0 only if nothing is lost, doubled, left over or in dispute."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.campaign import Campaign, Result, run
from tests.support.postgres import running_postgres
from tests.support.processes import ROOT

FIGURES = ROOT / "build" / "chaos.json"
ORDERS_FOR_EACH_KILL = 100
SHOWN = 10


def main() -> int:
    """Runs a campaign, prints what came of it, writes build/chaos.json."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how often a process is killed (50)")
    parser.add_argument("--seed", type=int, help="repeats a campaign, except for its timing (random)")
    parser.add_argument("--orders", type=int, help=f"applications ({ORDERS_FOR_EACH_KILL} for each kill)")
    parser.add_argument("--per-second", type=float, default=40.0, help="applications sent in a second (40)")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randint(1, 999_999) if arguments.seed is None else arguments.seed
    campaign = Campaign(
        seed=seed,
        kills=arguments.kills,
        orders=arguments.orders or ORDERS_FOR_EACH_KILL * max(1, arguments.kills),
        per_second=arguments.per_second,
    )
    print(f"chaos: seed {seed}, {campaign.kills} kills, {campaign.orders} orders", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.unlink(missing_ok=True)  # an earlier campaign's must not stand for one that breaks off
    began = time.monotonic()
    with running_postgres() as database:
        result = asyncio.run(run(campaign, database, folder))
    FIGURES.write_text(json.dumps(result.figures()) + "\n")
    print(report(result, time.monotonic() - began))
    if result.clean:
        shutil.rmtree(folder)
        return 0
    print(f"the logs and ledgers are in {folder}")
    return 1


def report(result: Result, seconds: float) -> str:
    """For a person."""
    verdict = result.verdict
    troubles = ", ".join(f"{count} × {what}" for what, count in sorted(result.troubles.items()))
    saw = ", ".join(f"{count} × {what}" for what, count in result.callers_saw.most_common())
    counts = f"{result.sent} applications sent, {verdict.acknowledged} acknowledged"
    lines = [
        f"{result.kills} kills in {seconds:.0f} s; {troubles}",
        f"callers saw {saw or 'no error'}",
        f"teams reported {result.reported['unknown']} unknown calls and {result.reported['failed']} that were not made",
        f"{result.restored} times traffic was given back by two operators",
        f"{counts}, {verdict.orders} orders in the store, {verdict.policies} policies in the ledgers",
    ]
    for what, found in (
        ("missing", verdict.missing),
        ("doubly insured", verdict.doubly_insured),
        ("not final", verdict.not_final),
        ("in dispute", verdict.disagreements),
        ("shares or capacities not kept", verdict.misdealt),
        ("contradictions accepted", result.contradictions_accepted),
        ("processes that ended by themselves", result.crashes),
        ("unexpected errors", result.unexpected),
    ):
        lines.append(f"{len(found):>6} {what}")
        lines += [f"         {text}" for text in found[:SHOWN]]
    lines.append(("clean" if result.clean else "NOT CLEAN") + f", seed {result.campaign.seed}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
