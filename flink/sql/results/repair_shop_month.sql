-- Claims by repair shop, part and month, beside what the same parts cost at all shops.
CREATE TABLE repair_shop_month (
    repair_shop_id          STRING NOT NULL COMMENT 'Shop that repaired. Claims settled without a repair are in no row.',
    part_code               STRING NOT NULL COMMENT 'Part repaired or replaced.',
    `month`                 DATE   NOT NULL COMMENT 'First day of the calendar month of occurrence.',
    claims                  BIGINT NOT NULL COMMENT 'Claims that occurred in the month and were reported before the watermark, denied ones included.',
    incurred_minor          BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    denied                  BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    repeat_claims           BIGINT NOT NULL COMMENT 'Those of the claims whose policy had an earlier claim (by day of occurrence, then claim_id), at whatever shop.',
    claims_within_30_days   BIGINT NOT NULL COMMENT 'Those of the claims that occurred on the first day of cover or at most 30 days later.',
    expected_incurred_minor BIGINT NOT NULL COMMENT 'What the claims that were not denied would have incurred at the mean cost of the part over all shops and months, in minor units. Differences of floored cumulative amounts over the rows of a part (by shop, then month), so the rows of a part sum exactly to its incurred_minor.',
    list_price_minor        BIGINT NOT NULL COMMENT 'List price of the parts of the claims that were not denied, in minor units; parts that are not in parts, or have no price there, count 0.',
    PRIMARY KEY (repair_shop_id, part_code, `month`) NOT ENFORCED
) COMMENT 'Claims by repair shop, part and month, beside what is expected.';

CREATE VIEW repair_shop_part_sums AS
SELECT
    repair_shop_id, part_code, `month`,
    COUNT(*) AS claims,
    SUM(incurred_minor) AS incurred_minor,
    SUM(list_price_minor) AS list_price_minor,
    SUM(denied) AS denied,
    SUM(repeated) AS repeat_claims,
    SUM(within_30_days) AS claims_within_30_days
FROM claim_wide
WHERE repair_shop_id IS NOT NULL
GROUP BY repair_shop_id, part_code, `month`;

-- The floored cumulative cost n * total / count is taken apart into n * quotient + n * remainder / count: the plain product
-- leaves 64 bits on large portfolios.
CREATE VIEW repair_shop_month_rows AS
SELECT
    repair_shop_id, part_code, `month`, claims, incurred_minor, denied, repeat_claims, claims_within_30_days,
    CASE
        WHEN part_paid = 0 THEN CAST(0 AS BIGINT)
        ELSE (claims - denied) * (part_incurred / part_paid)
            + paid_so_far * MOD(part_incurred, part_paid) / part_paid
            - (paid_so_far - claims + denied) * MOD(part_incurred, part_paid) / part_paid
    END AS expected_incurred_minor,
    list_price_minor
FROM (
    SELECT
        *,
        SUM(claims - denied) OVER (PARTITION BY part_code) AS part_paid,
        SUM(incurred_minor) OVER (PARTITION BY part_code) AS part_incurred,
        SUM(claims - denied) OVER (PARTITION BY part_code ORDER BY repair_shop_id, `month`) AS paid_so_far
    FROM repair_shop_part_sums
    WHERE ${repair_shop_month_opened}
);
