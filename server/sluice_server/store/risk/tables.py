"""The risk query store's tables as far as they are read. They are made by the Flink loader from the result DDL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import sqlalchemy as sa

from sluice_server.domain.risk.result_rows import Kind
from sluice_server.domain.risk.semantic.semantic_model import ResultTable, SemanticModel

POSTGRES_SCHEMA = "risk"


class RiskTables:
    """Tables in the place where the loader makes them: on PostgreSQL the schema ``risk``, on SQLite the whole file."""

    def __init__(self, model: SemanticModel, dialect: str) -> None:
        self._metadata = sa.MetaData(schema=POSTGRES_SCHEMA if dialect == "postgresql" else None)
        self.results = {table.name: self._result_table(model, table) for table in model.tables.values()}
        self.data_versions = sa.Table(
            "data_versions",
            self._metadata,
            sa.Column("data_version", sa.BigInteger),
            sa.Column("watermark", sa.DateTime(timezone=True)),
            sa.Column("published_at", sa.DateTime(timezone=True)),
            sa.Column("row_counts", sa.JSON),
            sa.Column("fingerprint", sa.Text),
            sa.Column("flink_version", sa.Text),
            sa.Column("duration_seconds", sa.Double),
            sa.Column("state", sa.Text),
            sa.Column("currency", sa.Text),
        )
        self.pointer = sa.Table("active_data_version", self._metadata, sa.Column("data_version", sa.BigInteger))

    def whole(self, table: str, columns: Mapping[str, Kind]) -> sa.Table:
        """A result table as it is read whole, with these columns beside ``data_version``."""
        types = {str: sa.Text, int: sa.BigInteger, float: sa.Double, date: sa.Date}
        return sa.Table(
            table,
            sa.MetaData(schema=self._metadata.schema),
            sa.Column("data_version", sa.BigInteger),
            *(sa.Column(name, types[kind]) for name, kind in columns.items()),
        )

    def _result_table(self, model: SemanticModel, table: ResultTable) -> sa.Table:
        floating = [column for name, column in table.measures.items() if model.metrics[name].unit == "years"]
        return sa.Table(
            table.name,
            self._metadata,
            sa.Column("data_version", sa.BigInteger),
            sa.Column(table.time_column, sa.Date),
            *(sa.Column(column, sa.Text) for column in table.keys.values()),
            *(
                sa.Column(column, sa.Double) if column in floating else sa.Column(column, sa.BigInteger)
                for column in table.measures.values()
            ),
        )
