"""The result tables once more, in DuckDB, written from the contract's sentences and not from the jobs' SQL."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

COLUMNS = {
    "policies": """{policy_id: VARCHAR, application_id: VARCHAR, insurer_id: VARCHAR, product_code: VARCHAR,
        product_line: VARCHAR, device_id: VARCHAR, store_id: VARCHAR, customer_ref: VARCHAR, sold_at: TIMESTAMPTZ,
        start_date: DATE, end_date: DATE, cancelled_on: DATE, premium_minor: BIGINT, refund_minor: BIGINT,
        currency: VARCHAR, exposure_years: DOUBLE}""",
    "claims": """{claim_id: VARCHAR, policy_id: VARCHAR, repair_shop_id: VARCHAR, part_code: VARCHAR,
        fault_code: VARCHAR, occurred_on: DATE, reported_at: TIMESTAMPTZ, incurred_minor: BIGINT, status: VARCHAR}""",
    "devices": """{device_id: VARCHAR, device_model_id: VARCHAR, brand: VARCHAR, category: VARCHAR,
        device_price_minor: BIGINT, purchased_on: DATE}""",
    "channels": "{store_id: VARCHAR, channel_id: VARCHAR, channel_name: VARCHAR, region: VARCHAR, tier: VARCHAR}",
    "repair_shops": "{repair_shop_id: VARCHAR, shop_name: VARCHAR, region: VARCHAR}",
}
ORDER_COLUMNS = """{application_id: VARCHAR, product_code: VARCHAR, insurer_id: VARCHAR, state: VARCHAR,
    premium_minor: BIGINT, decided_at: TIMESTAMPTZ, finished_at: TIMESTAMPTZ, attempts: INT, technical_failures: BIGINT,
    rerouted: BOOLEAN}"""

POLICY_MONTHS = """
CREATE TEMP TABLE cover AS
SELECT p.*, coalesce(c.channel_id, 'UNKNOWN') AS channel_id, coalesce(d.device_model_id, 'UNKNOWN') AS device_model_id,
    coalesce(d.brand, 'UNKNOWN') AS brand, coalesce(d.category, 'UNKNOWN') AS category,
    CASE WHEN cancelled_on <= $today THEN greatest(start_date, least(cancelled_on, end_date)) ELSE end_date END AS stop,
    premium_minor - CASE WHEN cancelled_on > $today THEN 0 ELSE refund_minor END AS net,
    least(stop, $today) AS seen
FROM policies AS p LEFT JOIN devices AS d USING (device_id) LEFT JOIN channels AS c USING (store_id)
WHERE end_date >= start_date AND end_date - start_date <= 7305 AND premium_minor >= refund_minor
    AND premium_minor >= 0 AND refund_minor >= 0 AND coalesce(exposure_years, 0) >= 0
    AND policy_id IS NOT NULL AND insurer_id IS NOT NULL AND product_code IS NOT NULL AND store_id IS NOT NULL;

CREATE TEMP TABLE portions AS
SELECT *, greatest(m, start_date) - start_date AS day_a, least((m + INTERVAL 1 MONTH)::DATE, seen) - start_date AS day_b
FROM (
    SELECT *, unnest(range(date_trunc('month', start_date)::TIMESTAMP, seen::TIMESTAMP, INTERVAL 1 MONTH))::DATE AS m
    FROM cover WHERE seen > start_date
);

CREATE TEMP TABLE measures AS
SELECT channel_id, store_id, device_model_id, brand, category, product_code, product_line, insurer_id, m AS month,
    1 AS policies,
    CASE WHEN exposure_years IS NULL THEN day_b * 4000000000 // 1461 - day_a * 4000000000 // 1461
        ELSE round(exposure_years * 1e9)::BIGINT * day_b // (seen - start_date)
            - round(exposure_years * 1e9)::BIGINT * day_a // (seen - start_date) END AS nano_years,
    net * day_b // (stop - start_date) - net * day_a // (stop - start_date) AS earned,
    0 AS claims, 0 AS denied, 0::BIGINT AS incurred, 0 AS early
FROM portions
UNION ALL
SELECT channel_id, store_id, device_model_id, brand, category, product_code, product_line, insurer_id,
    date_trunc('month', start_date)::DATE, 0, 0, net, 0, 0, 0, 0
FROM cover WHERE stop = start_date AND net > 0 AND start_date < $today;
"""

CLAIMS = """
CREATE TEMP TABLE counted AS
SELECT k.*, v.channel_id, v.store_id, v.device_model_id, v.brand, v.category, v.product_code, v.product_line,
    v.insurer_id,
    date_trunc('month', occurred_on)::DATE AS month,
    (status = 'DENIED')::INT AS denied,
    if(status = 'DENIED', 0, incurred_minor) AS incurred,
    (occurred_on >= start_date AND occurred_on <= start_date + 30)::INT AS early,
    exists(
        SELECT 1 FROM claims AS e WHERE e.policy_id = k.policy_id AND e.occurred_on < $today AND e.reported_at < $now
            AND e.incurred_minor >= 0 AND e.status IN ('OPEN', 'PAID', 'DENIED')
            AND (e.occurred_on < k.occurred_on OR (e.occurred_on = k.occurred_on AND e.claim_id < k.claim_id))
    )::INT AS again
FROM claims AS k JOIN cover AS v USING (policy_id)
WHERE occurred_on < $today AND reported_at < $now AND incurred_minor >= 0 AND status IN ('OPEN', 'PAID', 'DENIED');

INSERT INTO measures
SELECT channel_id, store_id, device_model_id, brand, category, product_code, product_line, insurer_id, month, 0, 0, 0,
    1, denied, incurred, early
FROM counted;
"""

SUMS = "sum(policies), sum(nano_years)::DOUBLE / 1e9, sum(earned), sum(claims), sum(denied), sum(incurred)"
RESULTS = {
    "channel_month": f"SELECT channel_id, month, {SUMS} FROM measures GROUP BY ALL",
    "device_model_month": f"SELECT device_model_id, brand, category, month, {SUMS} FROM measures GROUP BY ALL",
    "store_month": f"SELECT store_id, channel_id, month, {SUMS}, sum(early) FROM measures GROUP BY ALL",
    "product_month": f"SELECT product_code, product_line, insurer_id, month, {SUMS} FROM measures GROUP BY ALL",
    "repair_shop_month": """
        WITH means AS (
            SELECT part_code, sum(1 - denied)::HUGEINT AS paid, sum(incurred)::HUGEINT AS total
            FROM counted WHERE repair_shop_id IS NOT NULL GROUP BY part_code
        ), sums AS (
            SELECT repair_shop_id, part_code, month, count(*) AS claims, sum(incurred) AS incurred,
                sum(denied) AS denied, sum(again) AS again, sum(early) AS early
            FROM counted WHERE repair_shop_id IS NOT NULL GROUP BY ALL
        ), running AS (
            SELECT *, sum(claims - denied) OVER (PARTITION BY part_code ORDER BY repair_shop_id, month)::HUGEINT AS upto
            FROM sums
        )
        SELECT repair_shop_id, part_code, month, claims, incurred, denied, again, early,
            if(paid = 0, 0, upto * total // paid - (upto - claims + denied) * total // paid)
        FROM running JOIN means USING (part_code)""",
    "insurer_product_day": """
        WITH last AS (
            SELECT * FROM orders WHERE premium_minor >= 0
            QUALIFY row_number() OVER (
                PARTITION BY application_id ORDER BY finished_at DESC NULLS LAST, coalesce(attempts, 0) DESC, state
            ) = 1
        )
        SELECT coalesce(insurer_id, 'NONE'), product_code, decided_at::DATE, count(*), count_if(state = 'INSURED'),
            count_if(state = 'REJECTED'), count_if(state = 'ABNORMAL'),
            count_if(state IN ('PARKED', 'ROUTED', 'SUBMITTING')), count_if(state = 'CANCELLED'),
            coalesce(sum(premium_minor) FILTER (state = 'INSURED'), 0), sum(coalesce(technical_failures, 0)),
            count_if(coalesce(rerouted, false))
        FROM last GROUP BY ALL""",
}


def compute(input_dir: Path, orders_dir: Path | None, watermark: dt.datetime) -> dict[str, list[tuple[object, ...]]]:
    """Every result table (but `source_check`) from the source files, sorted."""
    return {name: sorted(rows) for name, rows in _compute(input_dir, orders_dir, watermark).items()}


def _compute(input_dir: Path, orders_dir: Path | None, watermark: dt.datetime) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        for name, columns in COLUMNS.items():
            files = f"{input_dir}/{name}/*.csv"
            duck.execute(f"CREATE VIEW {name} AS FROM read_csv('{files}', header = true, columns = {columns})")
        if orders_dir is None:
            columns = (
                "application_id, product_code, insurer_id, state, premium_minor, decided_at, finished_at, attempts"
            )
            nulls = ", ".join(f"NULL AS {name.strip()}" for name in columns.split(","))
            duck.execute(f"CREATE VIEW orders AS SELECT {nulls}, NULL AS technical_failures, NULL AS rerouted LIMIT 0")
        else:
            files = f"{orders_dir}/*/*.jsonl"
            duck.execute(f"CREATE VIEW orders AS FROM read_json('{files}', columns = {ORDER_COLUMNS})")
        for script in (POLICY_MONTHS, CLAIMS):
            for statement in filter(str.strip, script.split(";")):
                duck.execute(statement, _used(statement, watermark))
        return {name: duck.execute(query).fetchall() for name, query in RESULTS.items()}


def _used(statement: str, watermark: dt.datetime) -> dict[str, object]:
    """DuckDB refuses parameters that a statement does not use."""
    parameters = {"today": watermark.astimezone(dt.UTC).date(), "now": watermark}
    return {name: value for name, value in parameters.items() if f"${name}" in statement}
