-- Exposure, premium and claims by store and month.
CREATE TABLE store_month (
    store_id             STRING NOT NULL COMMENT 'Store that sold the policies.',
    channel_id           STRING NOT NULL COMMENT 'Channel of the store; UNKNOWN where the store is in no row of channels.',
    `month`              DATE   NOT NULL COMMENT 'First day of the calendar month.',
    policies             BIGINT NOT NULL COMMENT 'Policies with at least one day at risk in the month.',
    exposure_years       DOUBLE NOT NULL COMMENT 'Policy-years at risk in the month, to the watermark; summed exactly in 1e-9 years. A year has 365.25 days.',
    earned_premium_minor BIGINT NOT NULL COMMENT 'Premium less refunds earned in the month, pro rata over the days of cover, in minor units. Each month is the difference of two floored cumulative amounts, so the months of a policy sum exactly to its net premium.',
    claims               BIGINT NOT NULL COMMENT 'Claims that occurred in the month and were reported before the watermark, denied ones included.',
    denied               BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    incurred_minor       BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    claims_within_30_days BIGINT NOT NULL COMMENT 'Those of the claims that occurred on the first day of cover or at most 30 days later.',
    PRIMARY KEY (store_id, channel_id, `month`) NOT ENFORCED
) COMMENT 'Exposure, premium and claims by store and month.';

CREATE VIEW store_month_rows AS
SELECT
    key_1 AS store_id, key_2 AS channel_id, `month`,
    policies, exposure_years, earned_premium_minor, claims, denied, incurred_minor, claims_within_30_days
FROM portfolio_month
WHERE group_kind = 'S';
