-- Exposure, premium and claims by product, insurer and month.
CREATE TABLE product_month (
    product_code         STRING NOT NULL COMMENT 'Product.',
    product_line         STRING NOT NULL COMMENT 'Group of products.',
    insurer_id           STRING NOT NULL COMMENT 'Underwriter.',
    `month`              DATE   NOT NULL COMMENT 'First day of the calendar month.',
    policies             BIGINT NOT NULL COMMENT 'Policies with at least one day at risk in the month.',
    exposure_years       DOUBLE NOT NULL COMMENT 'Policy-years at risk in the month, to the watermark; summed exactly in 1e-9 years. A year has 365.25 days.',
    earned_premium_minor BIGINT NOT NULL COMMENT 'Premium less refunds earned in the month, pro rata over the days of cover, in minor units. Each month is the difference of two floored cumulative amounts, so the months of a policy sum exactly to its net premium.',
    claims               BIGINT NOT NULL COMMENT 'Claims that occurred in the month and were reported before the watermark, denied ones included.',
    denied               BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    incurred_minor       BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    PRIMARY KEY (product_code, product_line, insurer_id, `month`) NOT ENFORCED
) COMMENT 'Exposure, premium and claims by product, insurer and month.';

CREATE VIEW product_month_rows AS
SELECT
    key_1 AS product_code, key_2 AS product_line, key_3 AS insurer_id, `month`,
    policies, exposure_years, earned_premium_minor, claims, denied, incurred_minor
FROM portfolio_month
WHERE group_kind = 'P';
