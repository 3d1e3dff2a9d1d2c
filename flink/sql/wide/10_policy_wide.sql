-- Policies with their device and store, the days at risk up to the watermark, and why a row is rejected (its other columns
-- then mean nothing).
-- Computed once; everything below reads this.
--
-- Cover runs over the days start_date <= day < cover_end. A cancellation after the watermark has not happened yet.
CREATE VIEW policy_checked AS
SELECT
    *,
    CASE
        WHEN start_date >= DATE '${watermark_date}' THEN 0
        WHEN cover_end > DATE '${watermark_date}' THEN TIMESTAMPDIFF(DAY, start_date, DATE '${watermark_date}')
        ELSE TIMESTAMPDIFF(DAY, start_date, cover_end)
    END AS risk_days,
    TIMESTAMPDIFF(DAY, start_date, cover_end) AS cover_days
FROM (
    SELECT
        p.policy_id, p.insurer_id, p.product_code, p.product_line, p.store_id, p.start_date, p.end_date,
        COALESCE(c.channel_id, 'UNKNOWN') AS channel_id,
        COALESCE(d.device_model_id, 'UNKNOWN') AS device_model_id,
        COALESCE(d.brand, 'UNKNOWN') AS brand,
        COALESCE(d.category, 'UNKNOWN') AS category,
        p.currency,
        c.store_id IS NOT NULL AS store_known,
        d.device_id IS NOT NULL AS device_known,
        CASE
            WHEN p.cancelled_on IS NULL OR p.cancelled_on > DATE '${watermark_date}' OR p.cancelled_on > p.end_date THEN p.end_date
            WHEN p.cancelled_on < p.start_date THEN p.start_date
            ELSE p.cancelled_on
        END AS cover_end,
        CASE
            WHEN p.cancelled_on > DATE '${watermark_date}' THEN p.premium_minor
            ELSE p.premium_minor - p.refund_minor
        END AS net_premium_minor,
        CAST(ROUND(p.exposure_years * 1e9, 0) AS BIGINT) AS stated_nano_years,
        CASE
            WHEN p.policy_id IS NULL OR p.insurer_id IS NULL OR p.product_code IS NULL OR p.product_line IS NULL
                OR p.device_id IS NULL OR p.store_id IS NULL OR p.customer_ref IS NULL OR p.sold_at IS NULL
                OR p.start_date IS NULL OR p.end_date IS NULL
                OR p.premium_minor IS NULL OR p.refund_minor IS NULL OR p.currency IS NULL THEN 'MISSING_VALUE'
            WHEN TO_TIMESTAMP(REPLACE(REPLACE(p.sold_at, 'T', ' '), 'Z', '')) IS NULL THEN 'BAD_TIME'
            WHEN p.end_date < p.start_date THEN 'END_BEFORE_START'
            WHEN TIMESTAMPDIFF(DAY, p.start_date, p.end_date) > 7305 THEN 'TERM_TOO_LONG'
            WHEN p.premium_minor < 0 OR p.refund_minor < 0 OR p.refund_minor > p.premium_minor
                OR p.exposure_years < 0 THEN 'BAD_AMOUNT'
        END AS reject_reason
    FROM policies AS p
    LEFT JOIN devices AS d ON p.device_id = d.device_id
    LEFT JOIN channels AS c ON p.store_id = c.store_id
);

CREATE VIEW policy_wide AS
SELECT
    policy_id, insurer_id, product_code, product_line, store_id, start_date, cover_end, channel_id, device_model_id, brand,
    category, cover_days, CAST(risk_days AS BIGINT) AS risk_days, net_premium_minor, stated_nano_years,
    FLOOR(start_date TO MONTH) AS first_month,
    CAST(DAYOFMONTH(start_date) - 1 AS BIGINT) AS days_before,
    -- Calendar months that the days at risk touch. A policy cancelled on its first day keeps its first month, so that
    -- premium that was not given back is still earned there.
    CASE
        WHEN risk_days > 0 THEN
            (YEAR(TIMESTAMPADD(DAY, risk_days - 1, start_date)) - YEAR(start_date)) * 12
            + MONTH(TIMESTAMPADD(DAY, risk_days - 1, start_date)) - MONTH(start_date) + 1
        WHEN cover_days = 0 AND net_premium_minor > 0 AND start_date < DATE '${watermark_date}' THEN 1
        ELSE 0
    END AS months
FROM policy_checked
WHERE reject_reason IS NULL;

-- The months of every (first month, number of months) that occurs, with their bounds in days since the first month began.
-- Joined by equality it splits a policy into its months; the calendar is worked out here, on some thousand rows, and not
-- on every policy's months.
CREATE VIEW cover_months AS
WITH digits AS (SELECT n FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (n)),
     positions AS (SELECT h.n * 100 + t.n * 10 + u.n AS n FROM digits AS h, digits AS t, digits AS u WHERE h.n < 3)
SELECT
    c.first_month, c.months,
    TIMESTAMPADD(MONTH, k.n, c.first_month) AS `month`,
    CAST(TIMESTAMPDIFF(DAY, c.first_month, TIMESTAMPADD(MONTH, k.n, c.first_month)) AS BIGINT) AS month_from,
    CAST(TIMESTAMPDIFF(DAY, c.first_month, TIMESTAMPADD(MONTH, k.n + 1, c.first_month)) AS BIGINT) AS month_to
FROM (SELECT DISTINCT first_month, months FROM policy_wide WHERE months > 0) AS c
JOIN positions AS k ON k.n < c.months;

-- One row a policy and calendar month at risk: the days day_from <= day < day_to since the start of cover. Amounts of a
-- month are differences of floored cumulative amounts, so the months of a policy sum to its whole to the last minor unit
-- and nanoyear. A later watermark adds months and leaves past ones as they are, except for a cancellation that has
-- happened since and for exposure that the source states.
CREATE VIEW policy_month AS
SELECT
    insurer_id, product_code, product_line, store_id, channel_id, device_model_id, brand, category, `month`,
    CASE WHEN risk_days > 0 THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS policies,
    CASE
        WHEN risk_days = 0 THEN CAST(0 AS BIGINT)
        -- As the source states it, spread over the days at risk.
        WHEN stated_nano_years IS NOT NULL THEN stated_nano_years * day_to / risk_days - stated_nano_years * day_from / risk_days
        -- A year has 365.25 days = 1461 / 4.
        ELSE day_to * 4000000000 / 1461 - day_from * 4000000000 / 1461
    END AS exposure_nano_years,
    CASE
        WHEN cover_days = 0 THEN net_premium_minor
        ELSE net_premium_minor * day_to / cover_days - net_premium_minor * day_from / cover_days
    END AS earned_premium_minor
FROM (
    SELECT /*+ BROADCAST(m) */
        w.insurer_id, w.product_code, w.product_line, w.store_id, w.channel_id, w.device_model_id, w.brand, w.category,
        w.cover_days, w.risk_days, w.net_premium_minor, w.stated_nano_years, m.`month`,
        CASE WHEN m.month_from > w.days_before THEN m.month_from - w.days_before ELSE CAST(0 AS BIGINT) END AS day_from,
        CASE WHEN m.month_to - w.days_before < w.risk_days THEN m.month_to - w.days_before ELSE w.risk_days END AS day_to
    FROM policy_wide AS w
    JOIN cover_months AS m ON w.first_month = m.first_month AND w.months = m.months
);
