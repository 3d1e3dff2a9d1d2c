"""Orders and submissions reach a real Kafka broker: at least once, in order, never half."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice_flink.sql_files import source_tables
from sluice_server.domain.errors import Unavailable
from sluice_server.runtime.export_destinations import export_destinations
from sluice_server.runtime.export_kafka import KafkaDestination, read_properties
from sluice_server.runtime.order_export import OrderExportWorker
from sluice_server.runtime.settings import Settings, SettingsError
from tests.integration.orders.world import A, World, application, context
from tests.support.kafka import Broker, fetch_jars, running_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    fetch_jars()
    with running_broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


def _destination(bootstrap: str, directory: Path, topics: str, seconds: float = 20) -> KafkaDestination:
    return KafkaDestination(
        bootstrap,
        directory,
        orders_topic=f"{topics}.orders",
        submissions_topic=f"{topics}.submissions",
        properties={"broker.address.family": "v4"},
        delivery_seconds=seconds,
    )


def _topics(broker: Broker, directory: Path) -> str:
    """Topics of this test alone."""
    topics = directory.name.replace("[", ".").replace("]", "")
    broker.create_topics([f"{topics}.orders", f"{topics}.submissions"])
    return topics


async def test_lines_are_keyed_by_application_and_followed_by_signs_of_life(
    world: World, broker: Broker, tmp_path: Path
) -> None:
    topics = _topics(broker, tmp_path)
    worker = OrderExportWorker(world.store, world.clock, _destination(broker.bootstrap, tmp_path, topics))
    world[A].script.append("insured-but-lost")
    await world.submit(application("first"), context())
    await world.submit(application("second"), context())
    world.clock.move(4)
    await worker.round()
    await world.settle()
    world.clock.move(4)
    await worker.round()
    await worker.round()
    orders = broker.read(f"{topics}.orders")
    assert [(key, line["state"]) for key, line in orders if key == "first"] == [
        ("first", "ABNORMAL"),
        ("first", "INSURED"),
    ]
    assert [line["state"] for key, line in orders if key == "second"] == ["INSURED"]
    assert {frozenset(line) for _, line in orders} == {frozenset(source_tables()["orders"].column_names)}
    submissions = broker.read(f"{topics}.submissions")
    told = [(key, line["settled_outcome"]) for key, line in submissions if line["submission_id"] is not None]
    assert sorted(told, key=str) == [("first", "SUCCESS"), ("first", None), ("second", None)]
    alive = [line["updated_at"] for key, line in submissions if key is None]
    # One a batch in each of the two partitions, at the end of it.
    assert len(alive) == 4
    assert len(set(alive)) == 2


async def test_what_is_not_acknowledged_is_sent_again(world: World, broker: Broker, tmp_path: Path) -> None:
    topics = _topics(broker, tmp_path)
    await world.submit(application("first"), context())
    world.clock.move(4)
    # Nobody listens on port 9.
    nowhere = OrderExportWorker(world.store, world.clock, _destination("127.0.0.1:9", tmp_path, topics, seconds=1.5))
    with pytest.raises(Unavailable, match="Kafka"):
        await nowhere.round()
    assert not (tmp_path / "kafka" / "_cursor.json").exists()
    worker = OrderExportWorker(world.store, world.clock, _destination(broker.bootstrap, tmp_path, topics))
    await worker.round()
    assert [key for key, _ in broker.read(f"{topics}.orders")] == ["first"]
    begun_anew = OrderExportWorker(world.store, world.clock, _destination(broker.bootstrap, tmp_path, topics))
    await begun_anew.round()
    assert len(broker.read(f"{topics}.orders")) == 1


def test_settings_name_brokers_and_further_properties(tmp_path: Path) -> None:
    properties = tmp_path / "kafka.properties"
    properties.write_text("# TLS\nsecurity.protocol = plaintext\n\nclient.id=sluice=1\n")
    assert read_properties(properties) == {"security.protocol": "plaintext", "client.id": "sluice=1"}
    with_kafka = Settings(export_dir=tmp_path, export_kafka_bootstrap="127.0.0.1:9", export_kafka_properties=properties)
    destinations = list(export_destinations(with_kafka))
    assert [destination.name for destination in destinations] == ["order-export", "kafka-export"]
    for destination in destinations:
        destination.close()
    assert [destination.name for destination in export_destinations(Settings(export_dir=tmp_path))] == ["order-export"]


@pytest.mark.parametrize(("text", "told"), [("security.protocol", "line 1: not name=value"), ("no.such=1", "no.such")])
def test_wrong_properties_fail_the_start_and_are_named(tmp_path: Path, text: str, told: str) -> None:
    properties = tmp_path / "kafka.properties"
    properties.write_text(text)
    settings = Settings(export_dir=tmp_path, export_kafka_bootstrap="127.0.0.1:9", export_kafka_properties=properties)
    with pytest.raises(SettingsError, match=told):
        list(export_destinations(settings))
