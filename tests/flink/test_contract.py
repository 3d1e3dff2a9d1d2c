"""The contract page and the tables of the store are what the DDL says."""

from __future__ import annotations

import pytest

from sluice_flink import contract
from sluice_flink.result_partitions import PARTITIONED_BY
from sluice_flink.risk_store import RiskTables
from sluice_flink.sql_files import (
    BadDeclaration,
    parse_table,
    result_tables,
    source_tables,
    split_statements,
    statements,
)
from tests.flink.command import sluice_flink


def test_the_contract_page_is_fresh() -> None:
    assert contract.page_path().read_text(encoding="utf-8") == contract.render(), "run `sluice-flink contract`"
    assert sluice_flink("contract", "--check").exit_code == 0


def test_every_source_column_tells_its_unit_and_where_it_leads() -> None:
    page = contract.render()
    for line in (
        "| device_id | STRING | code | no | key | Key; opaque. |",
        "| device_id | STRING | code | no | → devices | Insured device; key of devices. |",
        "| list_price_minor | BIGINT | minor units | may be |  | List price of one part, in minor units. |",
        "| reported_at | STRING | RFC 3339, UTC | no |  | Instant of the report, RFC 3339 in UTC ending in Z. |",
    ):
        assert line in page
    for table in source_tables().values():
        assert sum(column.comment.startswith("Key") for column in table.columns) >= 1, table.name
        for column in table.columns:
            numeric = column.type in ("BIGINT", "INT", "DOUBLE")
            assert contract.unit(column) != "code" or not numeric, f"{table.name}.{column.name}"


def test_every_table_of_the_contract_is_declared() -> None:
    assert set(source_tables()) == {
        "policies",
        "claims",
        "devices",
        "channels",
        "repair_shops",
        "parts",
        "orders",
        "submissions",
    }
    assert set(result_tables()) == {
        "channel_month",
        "device_model_month",
        "store_month",
        "product_month",
        "repair_shop_month",
        "repair_shop_fault",
        "claim_evidence",
        "insurer_product_day",
        "rating_cell",
        "channel_mix",
        "claim_development",
        "customer_funnel",
        "source_check",
        "rejected_row",
    }


def test_the_store_has_the_declared_columns_behind_the_data_version() -> None:
    stored = RiskTables("risk").results
    for name, table in result_tables().items():
        assert [column.name for column in stored[name].columns] == ["data_version", *table.column_names]
        assert [column.name for column in stored[name].primary_key] == ["data_version", *table.key]
        assert stored[name].schema == "risk"


def test_every_result_table_has_a_sink_and_an_insert() -> None:
    sinks = list(statements("sinks"))
    for name in result_tables():
        assert any(text.startswith(f"CREATE TABLE {name}_csv ") for text in sinks)
        opened = f" WHERE ${{{name}_opened}}" if name in PARTITIONED_BY else ""
        assert f"INSERT OVERWRITE {name}_csv SELECT * FROM {name}_rows{opened}" in sinks


def test_money_is_never_a_floating_point_column() -> None:
    for table in (*source_tables().values(), *result_tables().values()):
        for column in table.columns:
            if column.name.endswith("_minor"):
                assert column.type == "BIGINT", f"{table.name}.{column.name}"


def test_statements_are_cut_at_semicolons_outside_of_quotes_and_comments() -> None:
    text = "-- a; comment\nSELECT 'a;''b', `x;y` - 1; -- ; more\nSELECT 2 ;\n"
    assert list(split_statements(text)) == ["SELECT 'a;''b', `x;y` - 1", "SELECT 2"]


def test_a_declaration_is_read_with_types_comments_and_key() -> None:
    table = parse_table(
        "CREATE TABLE t (`day` DATE NOT NULL COMMENT 'The day, it''s UTC.', n BIGINT COMMENT 'Optional: a (count).',"
        " PRIMARY KEY (`day`) NOT ENFORCED) COMMENT 'T.' WITH ('connector' = 'x')"
    )
    assert (table.name, table.comment, table.key) == ("t", "T.", ("day",))
    assert [(c.name, c.type, c.required) for c in table.columns] == [("day", "DATE", True), ("n", "BIGINT", False)]
    assert table.columns[0].comment == "The day, it's UTC."


@pytest.mark.parametrize("text", ["CREATE TABLE t (a INT) COMMENT 'T.'", "CREATE TABLE t (a INT COMMENT 'A.')"])
def test_a_table_or_column_without_a_comment_is_refused(text: str) -> None:
    with pytest.raises(BadDeclaration):
        parse_table(text)
