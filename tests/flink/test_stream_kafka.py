"""Windows are exact on a real Kafka broker and PostgreSQL, whatever befalls the job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flink.stream_command import wrong
from tests.flink.stream_kafka import try_kafka
from tests.support.kafka import Broker, fetch_jars, running_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    fetch_jars()
    with running_broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.mark.flink
async def test_windows_are_exact_after_a_savepoint_a_kill_a_checkpoint_and_a_lost_task_manager(
    broker: Broker, postgres_url: str, tmp_path: Path
) -> None:
    store_url = postgres_url.replace("postgresql+asyncpg://", "postgresql://")
    trial = await try_kafka(tmp_path, broker, store_url, submissions=2500, claims=50, hours=2, days=9)
    assert min(map(len, trial.expected.values())) > 0
    assert wrong(trial.found, trial.expected) == {}
