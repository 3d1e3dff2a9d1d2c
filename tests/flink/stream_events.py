"""Made-up submissions and claims as they come, and an independent count of their windows by DuckDB."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

Line = dict[str, Any]
BEGIN = dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.UTC)
OUT_OF_ORDER = dt.timedelta(seconds=15)
NORMAL_FAILURE_SHARE = 0.02
OUTCOMES = ("SUCCESS", "BUSINESS_REJECTION", "TECHNICAL_FAILURE", "UNKNOWN", "CALLER_FAULT")


def rfc3339(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def submission_lines(count: int, hours: float, seed: int) -> list[Line]:
    """Lines in the order of the export: by the moment they tell of, jumbled by a few seconds. Some are told twice, some
    while their call is under way and again when it has ended, some unknown ones are settled later, some repeated."""
    chance = random.Random(seed)
    lines: list[Line] = []
    for number in range(count):
        started = BEGIN + dt.timedelta(seconds=chance.random() * hours * 3600)
        # One insurer is down for the third quarter of an hour.
        insurer = chance.choice(("insurer-a", "insurer-b", "insurer-c"))
        down = insurer == "insurer-b" and 2700 <= (started - BEGIN).total_seconds() < 3600
        outcome = chance.choices(OUTCOMES, (5, 1, 60, 30, 1) if down else (90, 6, 2, 1, 1))[0]
        latency = int(chance.lognormvariate(5.5, 1.2))
        application = f"app-{number // 2 if chance.random() < 0.1 else number}"
        line: Line = {
            "submission_id": f"sub-{number:06d}", "application_id": application, "insurer_id": insurer,
            "product_code": "SCREEN-12", "product_line": "screen", "attempt": 1, "kind": "SUBMIT", "outcome": None,
            "settled_outcome": None, "error_code": None, "latency_ms": None, "started_at": rfc3339(started),
            "finished_at": None, "settled_at": None, "incident_id": None, "updated_at": rfc3339(started),
        }  # fmt: skip
        if chance.random() < 0.2:
            lines.append(line)
        finished = started + dt.timedelta(milliseconds=latency)
        if chance.random() < 0.97:
            line = line | {"outcome": outcome, "latency_ms": latency, "finished_at": rfc3339(finished)}
            line["updated_at"] = rfc3339(finished)
            lines += [line] * (2 if chance.random() < 0.1 else 1)
        settled = finished
        for settled_outcome in ("UNKNOWN", "SUCCESS") if chance.random() < 0.5 else ("TECHNICAL_FAILURE",):
            if outcome == "UNKNOWN" and chance.random() < 0.8:
                settled += dt.timedelta(seconds=1 + chance.random() * 2400)
                line = line | {"settled_outcome": settled_outcome, "settled_at": rfc3339(settled)}
                line["updated_at"] = rfc3339(settled)
                lines.append(line)
    jumbled = [(line["updated_at"], chance.random() * 10, line) for line in lines]
    # An order that changes later is told again with all that has become of it before.
    jumbled += [(line["updated_at"], chance.random() * 3600, line) for line in lines if chance.random() < 0.03]
    jumbled.sort(key=lambda item: dt.datetime.fromisoformat(item[0]) + dt.timedelta(seconds=item[1]))
    return [line for _, _, line in jumbled]


def claim_lines(count: int, days: float, seed: int) -> list[Line]:
    """Lines by the moment of the report, a tenth of them told twice with another amount; the last are a surge."""
    chance = random.Random(seed)
    moments = sorted(chance.random() * days * 86_400 for _ in range(count))
    surge = [days * 86_400 + 900 * chance.random() for _ in range(25)]
    lines: list[Line] = []
    for number, moment in enumerate([*moments, *sorted(surge)]):
        rare = number < count
        line: Line = {
            "claim_id": f"claim-{number:05d}", "policy_id": f"policy-{number:05d}",
            "store_id": chance.choice(("store-1", "store-2", "store-3", None)),
            "repair_shop_id": chance.choice(("shop-1", "shop-2", None)) if rare else "shop-1", "part_code": "screen",
            "fault_code": "drop", "occurred_on": "2026-03-01",
            "reported_at": (BEGIN + dt.timedelta(seconds=moment)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "incurred_minor": chance.randrange(1000, 90_000), "status": "OPEN",
        }  # fmt: skip
        lines.append(line)
        if chance.random() < 0.1:
            lines.append(line | {"incurred_minor": line["incurred_minor"] + chance.randrange(-500, 500)})
    return lines


def submissions_life(moment: dt.datetime) -> Line:
    """Nothing that happened before will come."""
    return {"submission_id": None, "updated_at": rfc3339(moment)}


def claims_life(moment: dt.datetime) -> Line:
    return {"claim_id": None, "reported_at": rfc3339(moment)}


def newest(lines: Sequence[Line], column: str) -> dt.datetime:
    return max(dt.datetime.fromisoformat(line[column]) for line in lines)


def independent_windows(
    submissions: Sequence[Line], claims: Sequence[Line], until: Mapping[str, dt.datetime]
) -> dict[str, set[tuple[Any, ...]]]:
    """The rows of every table, as DuckDB counts them, of the windows that end by `until` (of "submissions", "claims").

    Of warnings without the time of their detection."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        for name, lines, columns in (("told", submissions, SUBMISSION), ("reported", claims, CLAIM)):
            db.execute(f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
            rows = [[line.get(column) for column in columns] for line in lines]
            if rows:
                db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)
        for name, stream in (("ends_s", "submissions"), ("ends_c", "claims")):
            db.execute(ENDS.format(name=name, closed=rfc3339(until[stream] - OUT_OF_ORDER)[:-1]))
        db.execute(COUNTED.replace("$share", str(NORMAL_FAILURE_SHARE)))
        return {
            "insurer_window": set(db.execute("SELECT * FROM insurer_window").fetchall()),
            "repair_shop_window": set(
                db.execute("SELECT * EXCLUDE kind FROM claim_window WHERE kind = 'REPAIR_SHOP_CLAIMS'").fetchall()
            ),
            "store_window": set(
                db.execute("SELECT * EXCLUDE kind FROM claim_window WHERE kind = 'STORE_CLAIMS'").fetchall()
            ),
            "stream_warning": set(db.execute(WARNINGS).fetchall()),
        }


SUBMISSION = {
    "submission_id": "text", "application_id": "text", "insurer_id": "text", "outcome": "text",
    "settled_outcome": "text", "latency_ms": "bigint", "updated_at": "timestamp",
}  # fmt: skip
CLAIM = {
    "claim_id": "text", "store_id": "text", "repair_shop_id": "text", "incurred_minor": "bigint",
    "reported_at": "timestamp",
}  # fmt: skip
ENDS = """
CREATE MACRO {name}(t) AS list_filter(
    list_transform(range(0, 121), lambda n: time_bucket(INTERVAL 15 SECOND, t) + (n * 15) * INTERVAL 1 SECOND),
    lambda e: e > t AND e - INTERVAL 30 MINUTE <= t AND e <= TIMESTAMP '{closed}')
"""
COUNTED = """
CREATE TABLE insurer_window AS
WITH seen AS (
    SELECT *, unnest(ends_s(updated_at)) AS window_end FROM told WHERE submission_id IS NOT NULL
), newest AS (
    SELECT
        insurer_id, application_id, submission_id, window_end,
        coalesce(max(outcome), arg_max(settled_outcome, updated_at)) AS outcome,
        coalesce(arg_max(settled_outcome, updated_at), max(outcome)) AS standing, max(latency_ms) AS ms
    FROM seen GROUP BY ALL
)
SELECT
    insurer_id, window_end - INTERVAL 30 MINUTE AS window_start, window_end, count(DISTINCT application_id) AS orders,
    count(DISTINCT application_id)
        - count(DISTINCT application_id) FILTER (standing IN ('SUCCESS', 'BUSINESS_REJECTION')) AS unfinished,
    count(*) AS submissions, count(*) FILTER (outcome = 'SUCCESS') AS insured,
    count(*) FILTER (outcome = 'BUSINESS_REJECTION') AS rejected,
    count(*) FILTER (outcome = 'TECHNICAL_FAILURE') AS failed,
    count(*) FILTER (outcome = 'UNKNOWN') AS lost, count(*) FILTER (outcome = 'CALLER_FAULT') AS caller_faults,
    CAST(coalesce(sum(ms), 0) AS bigint) AS ms_sum, count(ms) AS ms_count, coalesce(max(ms), 0) AS ms_max,
    count(*) FILTER (ms <= 100) AS l1, count(*) FILTER (ms <= 300) AS l2, count(*) FILTER (ms <= 1000) AS l3,
    count(*) FILTER (ms <= 3000) AS l4, count(*) FILTER (ms <= 10000) AS l5
FROM newest GROUP BY insurer_id, window_end;

CREATE TABLE claim_window AS
WITH once AS (
    SELECT
        claim_id, max(store_id) AS store_id, max(repair_shop_id) AS shop_id, max(incurred_minor) AS amount,
        time_bucket(INTERVAL 15 SECOND, min(reported_at)) + INTERVAL 14999 MILLISECOND AS bucket
    FROM reported WHERE claim_id IS NOT NULL GROUP BY claim_id
), entity AS (
    SELECT 'REPAIR_SHOP_CLAIMS' AS kind, shop_id AS id, amount, bucket FROM once WHERE shop_id IS NOT NULL
    UNION ALL SELECT 'STORE_CLAIMS', store_id, amount, bucket FROM once WHERE store_id IS NOT NULL
), history AS (
    SELECT *, count(*) OVER week AS of_week, min(bucket) OVER week AS first_at FROM entity
    WINDOW week AS (PARTITION BY kind, id ORDER BY bucket RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW)
), seen AS (
    SELECT *, unnest(ends_c(bucket)) AS window_end FROM history
), summed AS (
    SELECT
        kind, id, window_end - INTERVAL 30 MINUTE AS window_start, window_end, count(*) AS claims,
        CAST(sum(amount) AS bigint) AS incurred_minor, max(of_week) - count(*) AS before,
        epoch(window_end - INTERVAL 30 MINUTE) - epoch(date_trunc('second', min(first_at))) AS seconds
    FROM seen GROUP BY kind, id, window_end
)
SELECT
    kind, id, window_start, window_end, claims, incurred_minor,
    CASE WHEN seconds >= 21600 THEN (before + 1) * 1800 / CAST(seconds AS double) END AS baseline
FROM summed;
CREATE TABLE counts AS
SELECT 'INSURER_FAILURES' AS kind, insurer_id AS id, window_end, failed + lost AS value,
    CAST((insured + rejected + failed + lost) * $share AS double) AS baseline
FROM insurer_window
UNION ALL SELECT kind, id, window_end, claims, baseline FROM claim_window WHERE baseline IS NOT NULL;
"""
WARNINGS = """
WITH bound AS (SELECT *, baseline + ln(1e5) / 3 + sqrt((ln(1e5) / 3) ** 2 + 2 * ln(1e5) * baseline) AS threshold
    FROM counts
), above AS (SELECT * FROM bound WHERE value > threshold)
SELECT kind, id, window_end, value, baseline, threshold FROM above AS a
WHERE NOT EXISTS (
    FROM above AS b WHERE b.kind = a.kind AND b.id = a.id AND b.window_end = a.window_end - INTERVAL 15 SECOND)
"""
