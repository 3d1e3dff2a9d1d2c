"""The semantic model and the reader against the result tables that the Flink jobs declare."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sluice_flink.risk_store import POSTGRES_SCHEMA, RiskTables
from sluice_flink.sql_files import TableSchema, result_tables
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.semantic_model import ResultTable
from sluice_server.store.risk import tables as reader_tables

MODEL = shipped_model()
DECLARED = result_tables()
every_table = pytest.mark.parametrize("table", MODEL.tables.values(), ids=lambda table: table.name)


def types_of(declared: TableSchema) -> dict[str, str]:
    return {column.name: column.type for column in declared.columns}


@every_table
def test_every_column_of_the_model_is_declared_with_its_type(table: ResultTable) -> None:
    declared = types_of(DECLARED[table.name])
    assert declared[table.time_column] == "DATE"
    assert {declared[column] for column in table.keys.values()} == {"STRING"}
    for measure, column in table.measures.items():
        expected = "DOUBLE" if MODEL.metrics[measure].unit == "years" else "BIGINT"
        assert declared[column] == expected, column


@every_table
def test_the_keys_of_the_model_are_the_declared_key(table: ResultTable) -> None:
    assert {*table.keys.values(), table.time_column} == set(DECLARED[table.name].key)


@every_table
def test_every_declared_figure_can_be_asked(table: ResultTable) -> None:
    declared = DECLARED[table.name]
    assert set(declared.column_names) - set(declared.key) == set(table.measures.values())


@every_table
def test_no_column_of_the_model_may_be_empty(table: ResultTable) -> None:
    used = {table.time_column, *table.keys.values(), *table.measures.values()}
    assert [c.name for c in DECLARED[table.name].columns if c.name in used and not c.required] == []


def test_the_reader_reads_what_the_loader_makes() -> None:
    for dialect, schema in (("sqlite", None), ("postgresql", POSTGRES_SCHEMA)):
        read, made = reader_tables.RiskTables(MODEL, dialect), RiskTables(schema)
        pairs: list[tuple[sa.Table, sa.Table]] = [
            (read.data_versions, made.data_versions),
            (read.pointer, made.active_data_version),
            *((table, made.results[name]) for name, table in read.results.items()),
        ]
        for reads, makes in pairs:
            assert reads.fullname == makes.fullname
            for column in reads.columns:
                assert isinstance(makes.columns[column.name].type, type(column.type)), column
