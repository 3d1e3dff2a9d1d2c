"""Whatever changes in the input, every partition of a result that changes by it is opened again.

Both computations are DuckDB's, before and after; no Flink runs here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice_flink.changes import compare_files, reopened_by
from sluice_flink.input_state import InputState
from sluice_flink.inputs import stage
from sluice_flink.result_partitions import PARTITIONED_BY
from sluice_flink.sql_files import result_tables
from tests.flink.daily_input import DailyInput, Line
from tests.flink.difficult_input import ORDERS, _order
from tests.flink.independent import compute

DAY = "2026-06-10"
BEFORE = dt.datetime(2026, 6, 15, 12, 30, tzinfo=dt.UTC)
Tables = dict[str, list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    daily = written(tmp_path_factory.mktemp("before"))
    return compute(daily.source, daily.orders, BEFORE)


def written(folder: Path) -> DailyInput:
    daily = DailyInput(folder, policies=400)
    for day in ORDERS:
        daily.write_orders(day)
    daily.deliver(DAY)
    return daily


def sold(daily: DailyInput, month: str) -> Line:
    return daily.find("policies", lambda row: row["sold_at"].startswith(month) and not row["cancelled_on"])


def claimed(daily: DailyInput) -> Line:
    return daily.find("claims", lambda row: row["status"] == "PAID" and "2025-06" < row["reported_at"] < DAY)


def refund(daily: DailyInput) -> None:
    daily.change("policies", sold(daily, "2025-02")["policy_id"], refund_minor="5", cancelled_on="2025-09-09")


def sold_by_another_store(daily: DailyInput) -> None:
    daily.change("policies", claimed(daily)["policy_id"], store_id="S00007", product_code="OTHER")


def policy_vanishes(daily: DailyInput) -> None:
    daily.remove("policies", claimed(daily)["policy_id"])


def key_becomes_doubtful(daily: DailyInput) -> None:
    row = daily.find("policies", lambda row: row["policy_id"] == claimed(daily)["policy_id"])
    daily.add("policies", {**row, "sold_at": "2026-06-01T00:00:00Z"})


def key_is_doubtful_no_more(daily: DailyInput) -> None:
    daily.change("policies", "X-twice", policy_id="X-once")


def another_order_of_the_same_policy(daily: DailyInput) -> None:
    daily.change("policies", "X-of-an-order", application_id="A9")


def late_claim(daily: DailyInput) -> None:
    row = claimed(daily)
    daily.add("claims", {**row, "claim_id": "L1", "occurred_on": "2024-11-30", "part_code": "tv-power"})


def claim_denied(daily: DailyInput) -> None:
    daily.change("claims", claimed(daily)["claim_id"], status="DENIED")


def claim_of_another_policy(daily: DailyInput) -> None:
    daily.change("claims", claimed(daily)["claim_id"], policy_id="X-of-an-order", occurred_on="2026-03-03")


def claims_vanish(daily: DailyInput) -> None:
    for key in ("X-of-an-order", "X-1"):
        daily.remove("claims", key)


def device_vanishes(daily: DailyInput) -> None:
    policy = daily.find("policies", lambda row: row["policy_id"] == claimed(daily)["policy_id"])
    daily.remove("devices", policy["device_id"])


def device_of_another_brand(daily: DailyInput) -> None:
    daily.change("devices", sold(daily, "2024-09")["device_id"], brand="other", device_model_id="M9999")


def store_changes_channel(daily: DailyInput) -> None:
    daily.change("channels", "S00001", channel_id="CH09", tier="other")


def part_has_another_price(daily: DailyInput) -> None:
    daily.change("parts", "phone-screen", list_price_minor="1")


def order_has_another_state(daily: DailyInput) -> None:
    lines = [*ORDERS["dt=2026-07-01"], _order("A5", "INSURED", attempts=1, updated_at="2026-07-02T00:00:00Z")]
    daily.write_orders("dt=2026-07-01", lines)


def orders_vanish(daily: DailyInput) -> None:
    daily.write_orders("dt=2026-07-01", [])


def nothing(_: DailyInput) -> None:
    return None


CHANGES = (
    refund, sold_by_another_store, policy_vanishes, key_becomes_doubtful, key_is_doubtful_no_more,
    another_order_of_the_same_policy, late_claim, claim_denied, claim_of_another_policy, claims_vanish, device_vanishes,
    device_of_another_brand, store_changes_channel, part_has_another_price, order_has_another_state, orders_vanish,
)  # fmt: skip


def opened_and_changed(
    folder: Path, before: Tables, change: Callable[[DailyInput], None], until: str, watermark: dt.datetime
) -> tuple[dict[str, set[object]], dict[str, set[object]]]:
    """By table the partitions that are opened, and those in which a row differs."""
    daily = written(folder)
    staged = stage(daily.source, daily.orders, folder / "work-before")
    state = InputState(staged.folder, staged.entries, 1, BEFORE, staged.fingerprint, "")
    change(daily)
    daily.deliver(until)
    now = stage(daily.source, daily.orders, folder / "work-now", state)
    changes = compare_files(state, now)
    reopened = reopened_by(changes, state, now, watermark)
    after = compute(daily.source, daily.orders, watermark)
    differ: dict[str, set[object]] = {}
    for table, column in PARTITIONED_BY.items():
        position = result_tables()[table].column_names.index(column)
        differ[table] = {row[position] for row in {*before[table]} ^ {*after[table]}}
    return {table: set(reopened.keys(table) or ()) for table in PARTITIONED_BY}, differ


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_opens_every_partition_that_it_reaches(
    tmp_path: Path, before: Tables, change: Callable[[DailyInput], None]
) -> None:
    opened, differ = opened_and_changed(tmp_path, before, change, DAY, BEFORE)
    assert any(differ.values()), "the change changes nothing"
    for table, keys in differ.items():
        assert keys <= opened[table], table


@pytest.mark.parametrize("watermark", ["2026-06-15T23:00:00Z", "2026-06-16T00:00:00Z", "2026-08-02T07:00:00Z"])
def test_the_watermark_opens_every_partition_that_it_changes(tmp_path: Path, before: Tables, watermark: str) -> None:
    """Over a cancellation that takes effect, exposure that is stated, and claims that were reported too late."""
    later = dt.datetime.fromisoformat(watermark)
    opened, differ = opened_and_changed(tmp_path, before, nothing, watermark[:10], later)
    assert any(differ.values())
    for table, keys in differ.items():
        assert keys <= opened[table], table


def test_a_claim_reaches_its_own_month_and_part_alone(tmp_path: Path, before: Tables) -> None:
    opened, _ = opened_and_changed(tmp_path, before, claims_vanish, DAY, BEFORE)
    assert opened["store_month"] == {dt.date(2024, 2, 1), dt.date(2026, 2, 1)}
    assert opened["rating_cell"] == {2024, 2026}
    assert opened["insurer_product_day"] == set()


def test_the_same_input_in_other_files_opens_nothing(tmp_path: Path, before: Tables) -> None:
    def moved(daily: DailyInput) -> None:
        file = daily.source / "repair_shops" / "part-0.csv"
        file.rename(file.with_name("other-name.csv"))

    daily = written(tmp_path)
    staged = stage(daily.source, daily.orders, tmp_path / "one")
    state = InputState(staged.folder, staged.entries, 1, BEFORE, staged.fingerprint, "")
    moved(daily)
    now = stage(daily.source, daily.orders, tmp_path / "two", state)
    assert not compare_files(state, now)
    assert compare_files(state, now).rows == 0
    assert now.rows == staged.rows
    assert before
