"""Where the settings have orders and submissions exported to."""

from __future__ import annotations

from collections.abc import Iterator

from sluice_server.runtime.export_files import FileDestination
from sluice_server.runtime.export_kafka import KafkaDestination, read_properties
from sluice_server.runtime.order_export import ExportDestination
from sluice_server.runtime.settings import Settings, SettingsError


def export_destinations(settings: Settings) -> Iterator[ExportDestination]:
    """Files always, Kafka where brokers are named. Raises SettingsError."""
    yield FileDestination(settings.export_dir)
    if settings.export_kafka_bootstrap is not None:
        try:
            yield KafkaDestination(
                settings.export_kafka_bootstrap,
                settings.export_dir,
                orders_topic=settings.export_kafka_orders_topic,
                submissions_topic=settings.export_kafka_submissions_topic,
                properties=read_properties(settings.export_kafka_properties),
            )
        except ImportError as error:
            raise SettingsError("export_kafka_bootstrap takes the extra kafka: pip install 'sluice[kafka]'") from error
        except ValueError as error:
            raise SettingsError(f"export_kafka_properties: {error}") from error
