-- Exposure and claims of policies that are alike in every rating factor, by calendar year: exact for a GLM, and few rows
-- however many policies there are.
CREATE TABLE rating_cell (
    product_code     STRING NOT NULL COMMENT 'Product.',
    product_line     STRING NOT NULL COMMENT 'Group of products.',
    category         STRING NOT NULL COMMENT 'Device category; UNKNOWN where the device is in no row of devices.',
    brand            STRING NOT NULL COMMENT 'Brand of the device; UNKNOWN likewise.',
    tier             STRING NOT NULL COMMENT 'Tier of the store; UNKNOWN where the store is in no row of channels.',
    region           STRING NOT NULL COMMENT 'Region of the store; UNKNOWN likewise.',
    term_months      BIGINT NOT NULL COMMENT 'Whole months from the first day of cover to the end that was agreed.',
    cover_year       BIGINT NOT NULL COMMENT 'Calendar year of the exposure and of the claims'' occurrence.',
    policies         BIGINT NOT NULL COMMENT 'Policies with at least one day at risk in the year.',
    exposure_years   DOUBLE NOT NULL COMMENT 'Policy-years at risk in the year, to the watermark; summed exactly.',
    claims           BIGINT NOT NULL COMMENT 'Claims that occurred in the year and were reported before the watermark, denied ones included.',
    denied           BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    incurred_minor   BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    incurred_squared DOUBLE NOT NULL COMMENT 'Sum of the squares of those amounts, in squared minor units: how much single claims vary. Summed exactly, rounded once.',
    PRIMARY KEY (product_code, product_line, category, brand, tier, region, term_months, cover_year) NOT ENFORCED
) COMMENT 'Exposure and claims by rating factors and year.';

CREATE VIEW year_position AS
SELECT m.n + 1 AS years, k.n AS n
FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20)) AS m (n)
JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15), (16), (17), (18), (19), (20)) AS k (n)
    ON k.n <= m.n;

CREATE VIEW rating_cell_rows AS
SELECT
    product_code, product_line, category, brand, tier, region, term_months, cover_year,
    SUM(policies) AS policies,
    CAST(SUM(exposure_parts) AS DOUBLE) / 1.461e9 AS exposure_years,
    SUM(claims) AS claims, SUM(denied) AS denied, SUM(incurred_minor) AS incurred_minor,
    CAST(SUM(incurred_squared) AS DOUBLE) AS incurred_squared
FROM (
    SELECT
        product_code, product_line, category, brand, tier, region, term_months, cover_year,
        COUNT(*) AS policies,
        SUM(exposure_a_day * (
            CASE WHEN end_day < next_year_day THEN end_day ELSE next_year_day END
            - CASE WHEN start_day > year_day THEN start_day ELSE year_day END
        ) + CASE WHEN n = 0 THEN exposure_at_once ELSE CAST(0 AS BIGINT) END) AS exposure_parts,
        CAST(0 AS BIGINT) AS claims, CAST(0 AS BIGINT) AS denied, CAST(0 AS BIGINT) AS incurred_minor,
        CAST(0 AS DECIMAL(38, 0)) AS incurred_squared
    FROM (
        SELECT /*+ BROADCAST(y) */
            w.product_code, w.product_line, w.category, w.brand, w.tier, w.region, w.term_months, w.exposure_a_day,
            w.exposure_at_once, w.start_day, w.end_day, y.n,
            w.first_year + y.n AS cover_year,
            -- 2000 was a leap year, and so is every fourth until 2100.
            CAST(365 * (w.first_year + y.n - 2000) + (w.first_year + y.n - 1997) / 4 AS BIGINT) AS year_day,
            CAST(365 * (w.first_year + y.n - 1999) + (w.first_year + y.n - 1996) / 4 AS BIGINT) AS next_year_day
        FROM policy_wide AS w
        JOIN year_position AS y ON w.years_at_risk = y.years
        WHERE w.end_day >= ${years_from_day}
    )
    GROUP BY product_code, product_line, category, brand, tier, region, term_months, cover_year
    UNION ALL
    SELECT
        product_code, product_line, category, brand, tier, region, term_months, YEAR(occurred_on),
        CAST(0 AS BIGINT), CAST(0 AS BIGINT),
        SUM(claims), SUM(denied), SUM(incurred_minor), SUM(incurred_squared)
    FROM claim_wide
    GROUP BY product_code, product_line, category, brand, tier, region, term_months, YEAR(occurred_on)
)
GROUP BY product_code, product_line, category, brand, tier, region, term_months, cover_year;
