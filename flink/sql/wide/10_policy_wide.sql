-- Keys that occur more than once. Which of their rows is right is unknown, so none is used; they are rejected and counted.
CREATE VIEW duplicate_keys AS
SELECT source_table, row_key, COUNT(*) AS copies
FROM (
    SELECT 'policies' AS source_table, policy_id AS row_key FROM policies WHERE policy_id IS NOT NULL
    UNION ALL SELECT 'claims', claim_id FROM claims WHERE claim_id IS NOT NULL
    UNION ALL SELECT 'devices', device_id FROM devices WHERE device_id IS NOT NULL
    UNION ALL SELECT 'channels', store_id FROM channels WHERE store_id IS NOT NULL
    UNION ALL SELECT 'repair_shops', repair_shop_id FROM repair_shops WHERE repair_shop_id IS NOT NULL
    UNION ALL SELECT 'parts', part_code FROM parts WHERE part_code IS NOT NULL
)
GROUP BY source_table, row_key
HAVING COUNT(*) > 1;

-- Each device, store, repair shop and part at most once, so that no join multiplies policies or claims.
CREATE VIEW device_once AS
SELECT /*+ BROADCAST(u) */ d.device_id, d.device_model_id, d.brand, d.category
FROM devices AS d
LEFT JOIN (SELECT row_key FROM duplicate_keys WHERE source_table = 'devices') AS u ON d.device_id = u.row_key
WHERE u.row_key IS NULL;

CREATE VIEW store_once AS
SELECT /*+ BROADCAST(u) */ c.store_id, c.channel_id, c.region, c.tier
FROM channels AS c
LEFT JOIN (SELECT row_key FROM duplicate_keys WHERE source_table = 'channels') AS u ON c.store_id = u.row_key
WHERE u.row_key IS NULL;

CREATE VIEW shop_once AS
SELECT /*+ BROADCAST(u) */ r.repair_shop_id
FROM repair_shops AS r
LEFT JOIN (SELECT row_key FROM duplicate_keys WHERE source_table = 'repair_shops') AS u ON r.repair_shop_id = u.row_key
WHERE u.row_key IS NULL;

CREATE VIEW part_once AS
SELECT /*+ BROADCAST(u) */ q.part_code, q.list_price_minor
FROM parts AS q
LEFT JOIN (SELECT row_key FROM duplicate_keys WHERE source_table = 'parts') AS u ON q.part_code = u.row_key
WHERE u.row_key IS NULL;

-- Policies with their device and store, the days at risk up to the watermark, and why a row is rejected (its other columns
-- then mean nothing).
-- Computed once; everything below reads this.
--
-- Cover runs over the days start_date <= day < cover_end. A cancellation after the watermark has not happened yet.
CREATE VIEW policy_checked AS
SELECT
    *,
    CAST(CASE
        WHEN start_date >= DATE '${watermark_date}' THEN 0
        WHEN cover_end > DATE '${watermark_date}' THEN TIMESTAMPDIFF(DAY, start_date, DATE '${watermark_date}')
        ELSE TIMESTAMPDIFF(DAY, start_date, cover_end)
    END AS BIGINT) AS risk_days,
    CAST(TIMESTAMPDIFF(DAY, start_date, cover_end) AS BIGINT) AS cover_days,
    CAST(TIMESTAMPDIFF(DAY, DATE '2000-01-01', start_date) AS BIGINT) AS start_day
FROM (
    SELECT /*+ BROADCAST(c, u) */
        p.policy_id, p.application_id, p.insurer_id, p.product_code, p.product_line, p.store_id, p.start_date, p.currency,
        COALESCE(c.channel_id, 'UNKNOWN') AS channel_id,
        COALESCE(c.region, 'UNKNOWN') AS region,
        COALESCE(c.tier, 'UNKNOWN') AS tier,
        COALESCE(d.device_model_id, 'UNKNOWN') AS device_model_id,
        COALESCE(d.brand, 'UNKNOWN') AS brand,
        COALESCE(d.category, 'UNKNOWN') AS category,
        c.store_id IS NOT NULL AS store_known,
        d.device_id IS NOT NULL AS device_known,
        CAST(TIMESTAMPDIFF(MONTH, p.start_date, p.end_date) AS BIGINT) AS term_months,
        CASE
            WHEN p.cancelled_on IS NULL OR p.cancelled_on > DATE '${watermark_date}' OR p.cancelled_on > p.end_date THEN p.end_date
            WHEN p.cancelled_on < p.start_date THEN p.start_date
            ELSE p.cancelled_on
        END AS cover_end,
        CASE
            WHEN p.cancelled_on > DATE '${watermark_date}' THEN p.premium_minor
            ELSE p.premium_minor - p.refund_minor
        END AS net_premium_minor,
        CAST(ROUND(p.exposure_years * 1.461e9, 0) AS BIGINT) AS stated_parts,
        CASE
            WHEN p.policy_id IS NULL OR p.insurer_id IS NULL OR p.product_code IS NULL OR p.product_line IS NULL
                OR p.device_id IS NULL OR p.store_id IS NULL OR p.customer_ref IS NULL OR p.sold_at IS NULL
                OR p.start_date IS NULL OR p.end_date IS NULL
                OR p.premium_minor IS NULL OR p.refund_minor IS NULL OR p.currency IS NULL THEN 'MISSING_VALUE'
            WHEN u.row_key IS NOT NULL THEN 'DUPLICATE_KEY'
            WHEN TO_TIMESTAMP(REPLACE(REPLACE(p.sold_at, 'T', ' '), 'Z', '')) IS NULL THEN 'BAD_TIME'
            WHEN p.end_date < p.start_date THEN 'END_BEFORE_START'
            WHEN TIMESTAMPDIFF(DAY, p.start_date, p.end_date) > 7305 THEN 'TERM_TOO_LONG'
            WHEN p.premium_minor < 0 OR p.refund_minor < 0 OR p.refund_minor > p.premium_minor
                OR p.exposure_years < 0 THEN 'BAD_AMOUNT'
        END AS reject_reason
    FROM policies AS p
    LEFT JOIN device_once AS d ON p.device_id = d.device_id
    LEFT JOIN store_once AS c ON p.store_id = c.store_id
    LEFT JOIN (SELECT row_key FROM duplicate_keys WHERE source_table = 'policies') AS u ON p.policy_id = u.row_key
);

-- Policies that have begun before the watermark. A policy cancelled on its first day has no day at risk; premium that was
-- not given back is earned on that day.
--
-- Premium is earned evenly over the days of cover, in ten thousandths of a minor unit, whole ones a day; what does not
-- divide is earned on the first day. So every sum is one of whole numbers, and the days of a policy sum to its net premium.
-- Exposure is counted in parts of 1e-6 / 1461 years, of which a day has 4e6 (a year has 365.25 days = 1461 / 4); exposure
-- that the source states is spread over the days at risk as premium is.
CREATE VIEW policy_wide AS
SELECT
    policy_id, application_id, insurer_id, product_code, product_line, store_id, channel_id, region, tier, device_model_id,
    brand, category, term_months, start_date, start_day, start_day + risk_days AS end_day, cover_days, net_premium_minor,
    FLOOR(start_date TO MONTH) AS first_month,
    FLOOR(end_date TO MONTH) AS end_month,
    CAST(YEAR(start_date) AS BIGINT) AS first_year,
    CASE WHEN risk_days > 0 THEN YEAR(TIMESTAMPADD(DAY, -1, end_date)) - YEAR(start_date) + 1 ELSE 0 END AS years_at_risk,
    CASE WHEN risk_days > 0 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS at_risk,
    -- The month of the day after the last one at risk is one at risk, unless that day is its first.
    CASE WHEN risk_days > 0 AND DAYOFMONTH(end_date) > 1 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS in_end_month,
    CASE
        WHEN risk_days = 0 THEN CAST(0 AS BIGINT)
        WHEN stated_parts IS NULL THEN CAST(4000000 AS BIGINT)
        ELSE stated_parts / risk_days
    END AS exposure_a_day,
    CASE WHEN risk_days = 0 OR stated_parts IS NULL THEN CAST(0 AS BIGINT) ELSE MOD(stated_parts, risk_days) END AS exposure_at_once,
    CASE WHEN risk_days = 0 THEN CAST(0 AS BIGINT) ELSE net_premium_minor * 10000 / cover_days END AS earned_a_day,
    CASE WHEN risk_days = 0 THEN net_premium_minor * 10000 ELSE MOD(net_premium_minor * 10000, cover_days) END AS earned_at_once
FROM (SELECT *, TIMESTAMPADD(DAY, CAST(risk_days AS INT), start_date) AS end_date FROM policy_checked)
WHERE reject_reason IS NULL
    AND (risk_days > 0 OR (cover_days = 0 AND net_premium_minor > 0 AND start_date < DATE '${watermark_date}'));
