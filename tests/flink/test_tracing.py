"""One span a stage, where a collector is configured, and no run held up by a dead one."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from sluice_flink.tracing import span, tracer
from tests.flink.command import run_job
from tests.flink.difficult_input import WATERMARK, write_difficult_input
from tests.support.otlp import attributes, otlp_receiver

STAGES = ["check and stage the input", "start Flink", "plan the jobs", "run the jobs", "publish"]


@pytest.mark.flink
async def test_a_run_is_one_trace_with_a_span_for_each_stage(tmp_path: Path) -> None:
    source, _ = write_difficult_input(tmp_path, policies=50)
    async with otlp_receiver() as receiver:
        more = ("--watermark", WATERMARK, "--reject-limit", "1", "--otlp-endpoint", receiver.url)
        finished = await asyncio.to_thread(run_job, source, f"sqlite:///{tmp_path / 'r.db'}", tmp_path / "work", *more)
        report = finished.report()
        await receiver.wait_for("sluice-flink run", *STAGES)
        root = receiver.named("sluice-flink run")
        stages = [receiver.named(name) for name in STAGES]
        assert {stage.trace_id for stage in stages} == {root.trace_id}
        assert {stage.parent_span_id for stage in stages} == {root.span_id}
        assert sorted(stages, key=lambda stage: stage.start_time_unix_nano) == stages
        for stage in stages:
            seconds = (stage.end_time_unix_nano - stage.start_time_unix_nano) / 1e9
            assert seconds == pytest.approx(report["seconds"][stage.name], abs=0.05)
        assert attributes(root)["sluice.data_version"] == report["data_version"]
        assert attributes(receiver.named("publish"))["sluice.rows"] == sum(report["row_counts"].values())
        assert receiver.resources[0]["service.name"] == "sluice-flink"


async def test_a_run_that_fails_leaves_failed_spans_without_the_text_of_the_error(tmp_path: Path) -> None:
    async with otlp_receiver() as receiver:
        more = ("--otlp-endpoint", receiver.url)
        store = f"sqlite:///{tmp_path / 'r.db'}"
        finished = await asyncio.to_thread(run_job, tmp_path / "nothing", store, tmp_path / "work", *more)
        assert finished.exit_code == 1
        await receiver.wait_for("sluice-flink run")
        for name in ("sluice-flink run", "check and stage the input"):
            failed = receiver.named(name)
            assert failed.status.code == Status.STATUS_CODE_ERROR
            assert attributes(failed) == {"error.type": "BadInput"}
            assert not failed.events


def test_a_dead_collector_holds_nothing_up() -> None:
    begun = time.monotonic()
    with tracer("http://127.0.0.1:9") as using, span(using, "stage"):
        pass
    assert time.monotonic() - begun < 30


def test_without_a_collector_nothing_is_recorded() -> None:
    with tracer(None) as using, span(using, "stage") as current:
        assert not current.is_recording()
