"""Incremental runs: row for row what a computation of everything gives, and no partition rewritten without need."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sluice_flink.input_state import locked
from sluice_flink.publish import roll_back
from sluice_flink.result_files import Row
from sluice_flink.sql_files import result_tables
from tests.flink.command import run_job
from tests.flink.daily_input import FIRST_WATERMARK, DailyInput
from tests.flink.difficult_input import ORDERS, _order
from tests.flink.independent import compute
from tests.flink.store_reading import read_active, version_rows

pytestmark = pytest.mark.flink

LATE_CLAIM = {
    "claim_id": "X-late", "policy_id": "X-leap-start", "repair_shop_id": "R0003", "part_code": "tv-panel",
    "fault_code": "DROP", "occurred_on": "2024-05-09", "reported_at": "2026-06-09T07:00:00Z", "incurred_minor": "777",
    "status": "PAID",
}  # fmt: skip


@dataclass
class Story:
    """One store, one input, run after run; what was seen after each."""

    folder: Path
    daily: DailyInput
    store: str
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    published: dict[str, dict[str, list[Row]]] = field(default_factory=dict)
    wanted: dict[str, dict[str, list[tuple[object, ...]]]] = field(default_factory=dict)

    def run(self, name: str, watermark: str) -> None:
        """Run incrementally; keep the report, what readers see then, and what an independent computation gives."""
        more: list[str | Path] = ["--orders", self.daily.orders, "--watermark", watermark, "--reject-limit", "0.2"]
        more += ["--incremental", "--state", self.folder / "state"]
        finished = run_job(self.daily.source, self.store, self.folder / "work", *more)
        self.reports[name] = finished.report()
        self.published[name] = asyncio.run(read_active(self.store))[1]
        self.wanted[name] = compute(self.daily.source, self.daily.orders, dt.datetime.fromisoformat(watermark))

    def reopened(self, name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = self.reports[name]["incremental"]["reopened"]
        return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("incremental")
    daily = DailyInput(folder, policies=1500)
    told = Story(folder, daily, f"sqlite:///{folder / 'risk.db'}")
    daily.deliver("2026-06-10")
    for day in ORDERS:
        daily.write_orders(day)
    told.run("first", FIRST_WATERMARK)
    told.run("again", FIRST_WATERMARK)

    # A claim two years late, and an older day of orders delivered again with one more in it.
    daily.add("claims", LATE_CLAIM)
    daily.deliver("2026-06-10")
    daily.write_orders("dt=2026-06-01", [*ORDERS["dt=2026-06-01"], _order("A20", "INSURED", channel_id="CH02")])
    told.run("late claim", FIRST_WATERMARK)

    # The watermark moves on over cancellations and stated exposure; new days; a refund, a vanished device, a doubtful
    # key.
    sold = daily.find("policies", lambda row: row["sold_at"].startswith("2026-01") and not row["cancelled_on"])
    daily.change("policies", sold["policy_id"], refund_minor="1", cancelled_on="2026-06-11")
    twice = daily.find("policies", lambda row: row["sold_at"].startswith("2025-03") and not row["cancelled_on"])
    daily.add("policies", {**twice, "sold_at": "2026-06-16T00:00:00Z"})
    paid = daily.find("claims", lambda row: row["status"] == "OPEN" and row["reported_at"] < "2026-06-10")
    daily.change("claims", paid["claim_id"], status="DENIED")
    lost = daily.find("policies", lambda row: row["sold_at"].startswith("2024-11"))
    daily.remove("devices", lost["device_id"])
    daily.deliver("2026-07-03")
    told.run("next month", "2026-07-03T00:00:00Z")

    # Reference data: a store goes to another channel, a part has a price.
    daily.change("channels", "S00002", channel_id="CH05", region="elsewhere")
    daily.change("parts", "phone-back", list_price_minor="1234")
    daily.deliver("2026-07-03")
    told.run("reference data", "2026-07-03T00:00:00Z")
    return told


RUNS = ("first", "late claim", "next month", "reference data")


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("table", sorted(set(result_tables()) - {"source_check", "rejected_row"}))
def test_every_run_publishes_what_a_computation_of_everything_gives(story: Story, run: str, table: str) -> None:
    wanted = story.wanted[run][table]
    assert wanted
    assert sorted(story.published[run][table], key=repr) == sorted(wanted, key=repr)


def test_the_first_run_computes_everything_and_the_same_input_again_nothing(story: Story) -> None:
    assert story.reports["first"]["incremental"] is None
    again = story.reports["again"]
    assert again["unchanged"] is True
    assert again["data_version"] == story.reports["first"]["data_version"]
    assert story.published["again"] == story.published["first"]


def test_a_late_claim_opens_its_month_and_its_part_again_and_nothing_else(story: Story) -> None:
    opened = story.reopened("late claim")
    for table in ("channel_month", "store_month", "device_model_month", "product_month"):
        assert opened[table] == ["2024-05-01"], table
    assert opened["claim_development"] == opened["repair_shop_fault"] == ["2024-05-01"]
    assert opened["rating_cell"] == ["2024"]
    # The policy had claims before: which of them repeats another is told by part.
    assert opened["repair_shop_month"] == ["phone-screen", "tv-panel"]
    assert opened["insurer_product_day"] == ["2026-06-01"]
    assert opened["customer_funnel"] == ["2026-06-01"]
    report = story.reports["late claim"]["incremental"]
    assert report["base"] == story.reports["first"]["data_version"]
    assert report["changed_files"] == {
        "claims": ["claims/dt=2026-06/part-0.csv"], "orders": ["dt=2026-06-01/export-1.jsonl"]
    }  # fmt: skip
    taken, counts = report["rows_taken_over"], story.reports["late claim"]["row_counts"]
    written = sum(row[2] == dt.date(2024, 5, 1) for row in story.published["late claim"]["store_month"])
    assert counts["store_month"] - taken["store_month"] == written > 0


def test_the_watermark_moving_on_opens_the_months_it_passes(story: Story) -> None:
    opened = story.reopened("next month")["store_month"]
    assert {"2026-06-01", "2026-07-01"} <= set(opened)
    assert "2026-06-01" in story.reopened("next month")["claim_development"]


async def test_the_version_records_what_was_computed_anew(story: Story) -> None:
    rows = {row.data_version: row for row in await version_rows(story.store)}
    assert rows[story.reports["first"]["data_version"]].incremental is None
    late = rows[story.reports["late claim"]["data_version"]]
    assert late.incremental == story.reports["late claim"]["incremental"]
    assert late.row_counts == {name: len(found) for name, found in story.published["late claim"].items()}


def test_reference_data_opens_what_it_is_joined_to(story: Story) -> None:
    opened = story.reopened("reference data")
    assert "phone-back" in opened["repair_shop_month"]
    assert opened["insurer_product_day"] == []
    assert opened["store_month"]


def test_after_a_rollback_the_next_run_computes_everything(story: Story, tmp_path: Path) -> None:
    """The state is of a version that nobody sees any more: it must not be built upon."""
    copied = tmp_path / "copy"
    shutil.copytree(story.folder, copied)
    again = Story(copied, story.daily, f"sqlite:///{copied / 'risk.db'}")
    asyncio.run(roll_back(again.store, 1))
    again.run("after", "2026-07-03T00:00:00Z")
    assert again.reports["after"]["incremental"] is None
    for table, rows in story.published["reference data"].items():
        assert sorted(again.published["after"][table], key=repr) == sorted(rows, key=repr), table


def test_two_runs_do_not_share_a_state(story: Story, tmp_path: Path) -> None:
    with locked(tmp_path / "state"):
        more = ("--incremental", "--state", tmp_path / "state")
        refused = run_job(story.daily.source, f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "work", *more)
    assert refused.exit_code == 1
    assert "another run works with the state" in refused.stderr


def test_a_database_has_no_files_to_compare(tmp_path: Path) -> None:
    refused = run_job("postgresql://127.0.0.1/core", f"sqlite:///{tmp_path / 'r.db'}", tmp_path / "w", "--incremental")
    assert refused.exit_code == 2
    assert "--incremental" in refused.stderr
