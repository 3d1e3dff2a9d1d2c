"""The result tables once more, in DuckDB, written from the contract's sentences and not from the jobs' SQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
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
    "parts": "{part_code: VARCHAR, part_name: VARCHAR, category: VARCHAR, list_price_minor: BIGINT}",
}
KEYS = {
    "policies": "policy_id", "claims": "claim_id", "devices": "device_id", "channels": "store_id",
    "repair_shops": "repair_shop_id", "parts": "part_code",
}  # fmt: skip
ORDER_COLUMNS = """{application_id: VARCHAR, product_code: VARCHAR, insurer_id: VARCHAR, state: VARCHAR,
    store_id: VARCHAR, channel_id: VARCHAR, customer_ref: VARCHAR, premium_minor: BIGINT,
    decided_at: TIMESTAMPTZ, updated_at: VARCHAR, attempts: INT, technical_failures: BIGINT, rerouted: BOOLEAN}"""

POLICY_MONTHS = """
CREATE TEMP TABLE cover AS
SELECT p.policy_id, p.application_id, p.insurer_id, p.product_code, p.product_line, p.store_id, p.start_date,
    p.exposure_years, coalesce(c.channel_id, 'UNKNOWN') AS channel_id, coalesce(c.tier, 'UNKNOWN') AS tier,
    coalesce(c.region, 'UNKNOWN') AS region, datesub('month', start_date, end_date) AS term,
    coalesce(d.device_model_id, 'UNKNOWN') AS device_model_id,
    coalesce(d.brand, 'UNKNOWN') AS brand, coalesce(d.category, 'UNKNOWN') AS category,
    CASE WHEN cancelled_on <= $today THEN greatest(start_date, least(cancelled_on, end_date)) ELSE end_date END AS stop,
    premium_minor - CASE WHEN cancelled_on > $today THEN 0 ELSE refund_minor END AS net,
    least(stop, $today) AS seen, start_date < $today AS begun
FROM policies AS p LEFT JOIN devices AS d USING (device_id) LEFT JOIN channels AS c USING (store_id)
WHERE end_date >= start_date AND end_date - start_date <= 7305 AND premium_minor >= refund_minor
    AND premium_minor >= 0 AND refund_minor >= 0 AND coalesce(exposure_years, 0) >= 0
    AND policy_id IS NOT NULL AND insurer_id IS NOT NULL AND product_code IS NOT NULL AND store_id IS NOT NULL;

CREATE TEMP VIEW portions AS
SELECT *, greatest(m, start_date) - start_date AS day_a, least((m + INTERVAL 1 MONTH)::DATE, seen) - start_date AS day_b
FROM (
    SELECT *, unnest(range(date_trunc('month', start_date)::TIMESTAMP, seen::TIMESTAMP, INTERVAL 1 MONTH))::DATE AS m
    FROM cover WHERE seen > start_date
);

CREATE TEMP VIEW policy_measures AS
SELECT channel_id, store_id, device_model_id, brand, category, product_code, product_line, insurer_id, m AS month,
    1 AS policies,
    CASE WHEN exposure_years IS NULL THEN (day_b - day_a) * 4000000
        ELSE round(exposure_years * 1.461e9)::BIGINT // (seen - start_date) * (day_b - day_a)
            + if(day_a = 0, round(exposure_years * 1.461e9)::BIGINT % (seen - start_date), 0) END AS parts,
    net * 10000 // (stop - start_date) * (day_b - day_a)
        + if(day_a = 0, net * 10000 % (stop - start_date), 0) AS earned,
    0 AS claims, 0 AS denied, 0::BIGINT AS incurred, 0 AS early
FROM portions
UNION ALL
SELECT channel_id, store_id, device_model_id, brand, category, product_code, product_line, insurer_id,
    date_trunc('month', start_date)::DATE, 0, 0, net * 10000, 0, 0, 0, 0
FROM cover WHERE stop = start_date AND net > 0 AND begun;
"""

CLAIMS = """
CREATE TEMP TABLE counted AS
SELECT k.*, v.channel_id, v.store_id, v.device_model_id, v.brand, v.category, v.product_code, v.product_line,
    v.insurer_id, v.tier, v.region, v.term, v.application_id, v.start_date,
    date_trunc('month', occurred_on)::DATE AS month,
    (status = 'DENIED')::INT AS denied,
    if(status = 'DENIED', 0, incurred_minor) AS incurred,
    if(status = 'DENIED', 0, coalesce(list_price_minor, 0)) AS listed,
    (occurred_on >= start_date AND occurred_on <= start_date + 30)::INT AS early,
    exists(
        SELECT 1 FROM claims AS e WHERE e.policy_id = k.policy_id AND e.occurred_on < $today AND e.reported_at < $now
            AND e.incurred_minor >= 0 AND e.status IN ('OPEN', 'PAID', 'DENIED')
            AND (e.occurred_on < k.occurred_on OR (e.occurred_on = k.occurred_on AND e.claim_id < k.claim_id))
    )::INT AS again
FROM claims AS k JOIN cover AS v USING (policy_id)
LEFT JOIN (SELECT part_code, list_price_minor FROM parts) USING (part_code)
WHERE occurred_on < $today AND reported_at < $now AND incurred_minor >= 0 AND status IN ('OPEN', 'PAID', 'DENIED');

CREATE TEMP VIEW measures AS
FROM policy_measures
UNION ALL
SELECT channel_id, store_id, device_model_id, brand, category, product_code, product_line, insurer_id, month, 0, 0, 0,
    1, denied, incurred, early
FROM counted;
"""


ORDERS = """
CREATE TEMP TABLE last_orders AS
SELECT * FROM orders WHERE premium_minor >= 0 AND try_cast(updated_at AS TIMESTAMPTZ) IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY application_id ORDER BY updated_at::TIMESTAMPTZ DESC, coalesce(attempts, 0) DESC, state
) = 1;
"""


def _by_month(keys: str, more: str = "") -> str:
    """A group's months; its premium so far is rounded down to whole minor units at the end of each."""
    return f"""
        SELECT {keys}, month, policies, parts::DOUBLE / 1.461e9, so_far // 10000 - (so_far - earned) // 10000,
            claims, denied, incurred {more}
        FROM (
            SELECT *, sum(earned) OVER (PARTITION BY {keys} ORDER BY month) AS so_far
            FROM (
                SELECT {keys}, month, sum(policies) AS policies, sum(parts) AS parts, sum(earned)::HUGEINT AS earned,
                    sum(claims) AS claims, sum(denied) AS denied, sum(incurred) AS incurred, sum(early) AS early
                FROM measures GROUP BY ALL
            )
        )"""


SQUARED = ("rating_cell", "claim_development")
"""Tables whose last column is a sum of squares."""

RESULTS = {
    "channel_month": f"""
        SELECT channel_id, month, any_value(p), any_value(x)::DOUBLE / 1.461e9, sum(e), any_value(c), any_value(d),
            any_value(i)
        FROM ({_by_month("store_id, channel_id")}) AS stores (store_id, channel_id, month, p0, x0, e, c0, d0, i0)
        JOIN (
            SELECT channel_id, month, sum(policies) AS p, sum(parts) AS x, sum(claims) AS c, sum(denied) AS d,
                sum(incurred) AS i
            FROM measures GROUP BY ALL
        ) AS channels USING (channel_id, month)
        GROUP BY channel_id, month""",
    "device_model_month": _by_month("device_model_id, brand, category"),
    "store_month": _by_month("store_id, channel_id", ", early"),
    "product_month": _by_month("product_code, product_line, insurer_id"),
    "repair_shop_month": """
        WITH means AS (
            SELECT part_code, sum(1 - denied)::HUGEINT AS paid, sum(incurred)::HUGEINT AS total
            FROM counted WHERE repair_shop_id IS NOT NULL GROUP BY part_code
        ), sums AS (
            SELECT repair_shop_id, part_code, month, count(*) AS claims, sum(incurred) AS incurred,
                sum(denied) AS denied, sum(again) AS again, sum(early) AS early, sum(listed) AS listed
            FROM counted WHERE repair_shop_id IS NOT NULL GROUP BY ALL
        ), running AS (
            SELECT *, sum(claims - denied) OVER (PARTITION BY part_code ORDER BY repair_shop_id, month)::HUGEINT AS upto
            FROM sums
        )
        SELECT repair_shop_id, part_code, month, claims, incurred, denied, again, early,
            if(paid = 0, 0, upto * total // paid - (upto - claims + denied) * total // paid), listed
        FROM running JOIN means USING (part_code)""",
    "repair_shop_fault": """
        SELECT repair_shop_id, fault_code, month, count(*), sum(incurred) FROM counted
        WHERE repair_shop_id IS NOT NULL GROUP BY ALL""",
    "claim_evidence": """
        WITH beside AS (
            SELECT *, incurred - expected AS excess, coalesce(occurred_on - (
                SELECT max(e.occurred_on) FROM counted AS e WHERE e.policy_id = c.policy_id
                    AND (e.occurred_on < c.occurred_on OR (e.occurred_on = c.occurred_on AND e.claim_id < c.claim_id))
            ), -1) AS since_previous
            FROM counted AS c JOIN (
                SELECT part_code, category, sum(incurred)::HUGEINT // greatest(sum(1 - denied), 1) AS expected
                FROM counted GROUP BY ALL
            ) USING (part_code, category)
        ), named AS (
            SELECT 'store' AS kind, store_id AS entity, * FROM beside
            UNION ALL
            SELECT 'repair_shop', repair_shop_id, * FROM beside WHERE repair_shop_id IS NOT NULL
        ), told AS (
            SELECT 'COST' AS reason, * FROM named WHERE excess > 0
            UNION ALL
            SELECT 'REPEAT', * FROM named WHERE again = 1
            UNION ALL
            SELECT 'EARLY', * FROM named WHERE early = 1
        )
        SELECT kind, entity, reason,
            row_number() OVER (PARTITION BY kind, entity, reason ORDER BY excess DESC, claim_id) AS place,
            claim_id, policy_id, month, part_code, fault_code, incurred, expected, occurred_on - start_date,
            since_previous
        FROM told QUALIFY place <= 6""",
    "rating_cell": """
        SELECT product_code, product_line, category, brand, tier, region, term, year, sum(p), sum(x)::DOUBLE / 1.461e9,
            sum(c), sum(d), sum(i), sum(s)
        FROM (
            SELECT *, 1 AS p, 0 AS c, 0 AS d, 0::BIGINT AS i, 0::HUGEINT AS s,
                CASE WHEN exposure_years IS NULL THEN days * 4000000
                    ELSE round(exposure_years * 1.461e9)::BIGINT // (seen - start_date) * days
                        + if(year = year(start_date), round(exposure_years * 1.461e9)::BIGINT % (seen - start_date), 0)
                    END AS x
            FROM (
                SELECT *, least(make_date(year + 1, 1, 1), seen) - greatest(make_date(year, 1, 1), start_date) AS days
                FROM (
                    SELECT *, unnest(range(year(start_date), year(seen - 1) + 1)) AS year
                    FROM cover WHERE seen > start_date
                )
            )
            UNION ALL BY NAME
            SELECT *, 0 AS p, 1 AS c, denied AS d, incurred AS i, incurred::HUGEINT * incurred AS s, 0 AS x,
                year(occurred_on) AS year
            FROM counted
        )
        GROUP BY ALL""",
    "channel_mix": """
        SELECT channel_id, product_code, product_line, category, region, tier, sum(p), sum(x)::DOUBLE / 1.461e9,
            sum(e) // 10000, sum(c), sum(d), sum(i)
        FROM (
            SELECT *, (seen > start_date)::INT AS p, 0 AS c, 0 AS d, 0::BIGINT AS i,
                CASE WHEN seen <= start_date THEN 0 WHEN exposure_years IS NULL THEN (seen - start_date) * 4000000
                    ELSE round(exposure_years * 1.461e9)::BIGINT END AS x,
                CASE WHEN stop = start_date THEN net * 10000
                    ELSE net * 10000 // (stop - start_date) * (seen - start_date) + net * 10000 % (stop - start_date)
                    END::HUGEINT AS e
            FROM cover WHERE seen > start_date OR (stop = start_date AND net > 0 AND start_date < $today)
            UNION ALL BY NAME
            SELECT *, 0 AS p, 1 AS c, denied AS d, incurred AS i, 0 AS x, 0::HUGEINT AS e FROM counted
        )
        GROUP BY ALL""",
    "claim_development": """
        SELECT channel_id, product_line, month, datediff('month', occurred_on, (reported_at AT TIME ZONE 'UTC')::DATE),
            count(*), sum(denied), sum(incurred), sum(incurred::HUGEINT * incurred)
        FROM counted GROUP BY ALL""",
    "customer_funnel": """
        SELECT coalesce(l.channel_id, c.channel_id, 'UNKNOWN'), date_trunc('month', decided_at)::DATE, count(*),
            count(DISTINCT customer_ref),
            count(DISTINCT customer_ref) FILTER (insurer_id IS NOT NULL),
            count(DISTINCT customer_ref) FILTER (attempts > 0),
            count(DISTINCT customer_ref) FILTER (state = 'INSURED'),
            count(DISTINCT customer_ref) FILTER (application_id IN (SELECT application_id FROM counted))
        FROM last_orders AS l LEFT JOIN channels AS c USING (store_id) GROUP BY ALL""",
    "insurer_product_day": """
        SELECT coalesce(insurer_id, 'NONE'), product_code, decided_at::DATE, count(*), count_if(state = 'INSURED'),
            count_if(state = 'REJECTED'), count_if(state = 'ABNORMAL'),
            count_if(state IN ('PARKED', 'ROUTED', 'SUBMITTING')), count_if(state = 'CANCELLED'),
            coalesce(sum(premium_minor) FILTER (state = 'INSURED'), 0), sum(coalesce(technical_failures, 0)),
            count_if(coalesce(rerouted, false))
        FROM last_orders GROUP BY ALL""",
}


def compute(
    input_dir: Path, orders_dir: Path | None, watermark: dt.datetime, settings: Mapping[str, str] | None = None
) -> dict[str, list[tuple[object, ...]]]:
    """Every result table (but `source_check`) from the source files, sorted; `settings` are DuckDB's."""
    return {name: sorted(rows) for name, rows in _compute(input_dir, orders_dir, watermark, settings or {}).items()}


def _compute(
    input_dir: Path, orders_dir: Path | None, watermark: dt.datetime, settings: Mapping[str, str]
) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(config=dict(settings)) as duck:
        duck.execute("SET TimeZone = 'UTC'")
        for name, columns in COLUMNS.items():
            files = f"{input_dir}/{name}/**/*.csv"
            rows = f"read_csv('{files}', header = true, columns = {columns})"
            once = f"QUALIFY count(*) OVER (PARTITION BY {KEYS[name]}) = 1 OR {KEYS[name]} IS NULL"
            duck.execute(f"CREATE TABLE {name} AS FROM {rows} {once}")
        if orders_dir is None:
            typed = ORDER_COLUMNS.strip("{}").replace(":", "").replace("\n", " ")
            duck.execute(f"CREATE TABLE orders ({typed})")
        else:
            files = f"{orders_dir}/*/*.jsonl"
            duck.execute(f"CREATE VIEW orders AS FROM read_json('{files}', columns = {ORDER_COLUMNS})")
        for script in (POLICY_MONTHS, CLAIMS, ORDERS):
            for statement in filter(str.strip, script.split(";")):
                duck.execute(statement, _used(statement, watermark))
        found = {name: duck.execute(query, _used(query, watermark)).fetchall() for name, query in RESULTS.items()}
    for name in SQUARED:
        # Python rounds a whole number to the nearest float.
        found[name] = [(*row[:-1], float(row[-1])) for row in found[name]]
    return found


def _used(statement: str, watermark: dt.datetime) -> dict[str, object]:
    """DuckDB refuses parameters that a statement does not use."""
    parameters = {"today": watermark.astimezone(dt.UTC).date(), "now": watermark}
    return {name: value for name, value in parameters.items() if f"${name}" in statement}
