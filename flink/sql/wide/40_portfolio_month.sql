-- Exposure, premium and claims by month of every group of every result table of that shape. One pipeline makes them all:
-- group_kind says which table a row is for, and group_key is the row's key, its columns joined by ASCII's unit separator.
--
-- Instead of its months, some dozen of them, a policy brings two edges: where its days at risk begin, and where they end.
-- What a policy has earned by a later day n is the sum over its edges of (base + step * n), days counted from 2000-01-01.
-- The same holds for the sums of many policies, so months are filled in per group and not per policy.
--
-- Policies are added up by both edges at once, and each sum is then taken apart: there are fewer sums than policies.
CREATE VIEW group_edge AS
SELECT
    group_key,
    CASE WHEN edge = 1 THEN first_month ELSE end_month END AS `month`,
    edge * policies AS policies_step,
    CASE WHEN edge = 1 THEN CAST(0 AS BIGINT) ELSE policies_last END AS policies_last,
    edge * exposure AS exposure_step,
    CASE WHEN edge = 1 THEN exposure_begin ELSE exposure_end END AS exposure_base,
    edge * earned AS earned_step,
    CASE WHEN edge = 1 THEN earned_begin ELSE earned_end END AS earned_base
FROM (
    SELECT
        COALESCE(by_store, by_device_model, by_product) AS group_key, first_month, end_month,
        SUM(at_risk) AS policies,
        SUM(in_end_month) AS policies_last,
        SUM(exposure_a_day) AS exposure,
        SUM(exposure_begin) AS exposure_begin,
        SUM(exposure_end) AS exposure_end,
        SUM(earned_a_day) AS earned,
        SUM(earned_begin) AS earned_begin,
        SUM(earned_end) AS earned_end
    FROM (
        SELECT
            'S' || store_id || U&'\001F' || channel_id AS by_store,
            'M' || device_model_id || U&'\001F' || brand || U&'\001F' || category AS by_device_model,
            'P' || product_code || U&'\001F' || product_line || U&'\001F' || insurer_id AS by_product,
            first_month, end_month, at_risk, in_end_month,
            exposure_a_day, exposure_at_once - exposure_a_day * start_day AS exposure_begin, exposure_a_day * end_day AS exposure_end,
            earned_a_day, earned_at_once - earned_a_day * start_day AS earned_begin, earned_a_day * end_day AS earned_end
        FROM policy_wide
        -- A policy that has ended has earned whole minor units: it moves no later month, and no floor.
        WHERE end_day >= ${months_from_day}
    )
    GROUP BY GROUPING SETS (
        (by_store, first_month, end_month), (by_device_model, first_month, end_month), (by_product, first_month, end_month)
    )
)
CROSS JOIN (VALUES (CAST(1 AS BIGINT)), (CAST(-1 AS BIGINT))) AS e (edge);

CREATE VIEW group_claims AS
SELECT
    COALESCE(by_store, by_device_model, by_product) AS group_key, `month`,
    SUM(claims) AS claims, SUM(denied) AS denied, SUM(incurred_minor) AS incurred_minor,
    SUM(within_30_days) AS claims_within_30_days
FROM (
    SELECT
        'S' || store_id || U&'\001F' || channel_id AS by_store,
        'M' || device_model_id || U&'\001F' || brand || U&'\001F' || category AS by_device_model,
        'P' || product_code || U&'\001F' || product_line || U&'\001F' || insurer_id AS by_product,
        `month`, claims, denied, incurred_minor, within_30_days
    FROM claim_wide
    WHERE ${store_month_opened}
)
GROUP BY GROUPING SETS ((by_store, `month`), (by_device_model, `month`), (by_product, `month`));

-- Months in which something begins, ends or is claimed, with the sums of all edges so far and the months up to the next row.
CREATE VIEW group_running AS
SELECT
    *,
    SUM(policies_step) OVER so_far AS policies,
    SUM(exposure_step) OVER so_far AS exposure_steps, SUM(exposure_base) OVER so_far AS exposure_bases,
    SUM(earned_step) OVER so_far AS earned_steps, SUM(earned_base) OVER so_far AS earned_bases,
    CASE
        WHEN SUM(policies_step) OVER so_far = 0 THEN 1
        ELSE COALESCE(TIMESTAMPDIFF(MONTH, `month`, LEAD(`month`) OVER so_far), 1)
    END AS months
FROM (
    SELECT
        group_key, `month`,
        SUM(policies_step) AS policies_step, SUM(policies_last) AS policies_last,
        SUM(exposure_step) AS exposure_step, SUM(exposure_base) AS exposure_base,
        SUM(earned_step) AS earned_step, SUM(earned_base) AS earned_base,
        SUM(claims) AS claims, SUM(denied) AS denied, SUM(incurred_minor) AS incurred_minor,
        SUM(claims_within_30_days) AS claims_within_30_days
    FROM (
        SELECT
            *, CAST(0 AS BIGINT) AS claims, CAST(0 AS BIGINT) AS denied, CAST(0 AS BIGINT) AS incurred_minor,
            CAST(0 AS BIGINT) AS claims_within_30_days
        FROM group_edge
        UNION ALL
        SELECT
            group_key, `month`,
            CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT),
            claims, denied, incurred_minor, claims_within_30_days
        FROM group_claims
    )
    GROUP BY group_key, `month`
)
WINDOW so_far AS (PARTITION BY group_key ORDER BY `month`);

-- The positions 0 .. months - 1 in every stretch of months up to 20 years: no edge of a policy is further from the other.
CREATE VIEW month_position AS
WITH digits AS (SELECT n FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS t (n)),
     numbers AS (SELECT h.n * 100 + t.n * 10 + u.n AS n FROM digits AS h, digits AS t, digits AS u WHERE h.n < 3)
SELECT m.n AS months, k.n AS n FROM numbers AS m JOIN numbers AS k ON k.n < m.n WHERE m.n <= 241;

-- A month's figure is what has been reached by its end less what had been reached by its start. Premium is floored to whole
-- minor units on the way, so that the months of a group sum to its premium exactly.
CREATE VIEW portfolio_month AS
SELECT
    SUBSTRING(group_key FROM 1 FOR 1) AS group_kind,
    SPLIT_INDEX(SUBSTRING(group_key FROM 2), U&'\001F', 0) AS key_1,
    SPLIT_INDEX(group_key, U&'\001F', 1) AS key_2,
    SPLIT_INDEX(group_key, U&'\001F', 2) AS key_3,
    `month`,
    policies + policies_last AS policies,
    exposure_until - exposure_before AS exposure_parts,
    CAST(exposure_until - exposure_before AS DOUBLE) / 1.461e9 AS exposure_years,
    earned_until / 10000 - earned_before / 10000 AS earned_premium_minor,
    claims, denied, incurred_minor, claims_within_30_days
FROM (
    SELECT
        group_key, `month`, policies,
        CASE WHEN n = 0 THEN policies_last ELSE 0 END AS policies_last,
        exposure_bases + exposure_steps * last_day AS exposure_until,
        CASE WHEN n = 0 THEN exposure_bases - exposure_base + (exposure_steps - exposure_step) * first_day ELSE exposure_bases + exposure_steps * first_day END AS exposure_before,
        earned_bases + earned_steps * last_day AS earned_until,
        CASE WHEN n = 0 THEN earned_bases - earned_base + (earned_steps - earned_step) * first_day ELSE earned_bases + earned_steps * first_day END AS earned_before,
        CASE WHEN n = 0 THEN claims ELSE 0 END AS claims,
        CASE WHEN n = 0 THEN denied ELSE 0 END AS denied,
        CASE WHEN n = 0 THEN incurred_minor ELSE 0 END AS incurred_minor,
        CASE WHEN n = 0 THEN claims_within_30_days ELSE 0 END AS claims_within_30_days
    FROM (
        SELECT
            *,
            CAST(TIMESTAMPDIFF(DAY, DATE '2000-01-01', `month`) AS BIGINT) AS first_day,
            CAST(TIMESTAMPDIFF(DAY, DATE '2000-01-01', TIMESTAMPADD(MONTH, 1, `month`)) AS BIGINT) AS last_day
        FROM (
            SELECT /*+ BROADCAST(month_position) */
                policies, policies_last, exposure_step, exposure_base, earned_step, earned_base,
                claims, denied, incurred_minor, claims_within_30_days,
                exposure_steps, exposure_bases, earned_steps, earned_bases,
                group_key, n, TIMESTAMPADD(MONTH, n, `month`) AS `month`
            FROM group_running
            JOIN month_position ON group_running.months = month_position.months
        )
    )
)
WHERE policies + policies_last > 0 OR claims > 0 OR earned_until / 10000 <> earned_before / 10000;
