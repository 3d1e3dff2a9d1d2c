-- Exposure, premium and claims by channel and month.
CREATE TABLE channel_month (
    channel_id           STRING NOT NULL COMMENT 'Channel; UNKNOWN where the store is in no row of channels.',
    `month`              DATE   NOT NULL COMMENT 'First day of the calendar month.',
    policies             BIGINT NOT NULL COMMENT 'Policies with at least one day at risk in the month.',
    exposure_years       DOUBLE NOT NULL COMMENT 'Policy-years at risk in the month, to the watermark; summed exactly in 1e-9 years. A year has 365.25 days.',
    earned_premium_minor BIGINT NOT NULL COMMENT 'Premium less refunds earned in the month, pro rata over the days of cover, in minor units. Each month is the difference of two floored cumulative amounts, so the months of a policy sum exactly to its net premium.',
    claims               BIGINT NOT NULL COMMENT 'Claims that occurred in the month and were reported before the watermark, denied ones included.',
    denied               BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    incurred_minor       BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    PRIMARY KEY (channel_id, `month`) NOT ENFORCED
) COMMENT 'Exposure, premium and claims by channel and month.';

CREATE VIEW channel_month_rows AS
SELECT
    key_2 AS channel_id, `month`,
    SUM(policies) AS policies,
    CAST(SUM(exposure_parts) AS DOUBLE) / 1.461e9 AS exposure_years,
    SUM(earned_premium_minor) AS earned_premium_minor,
    SUM(claims) AS claims, SUM(denied) AS denied, SUM(incurred_minor) AS incurred_minor
FROM portfolio_month
WHERE group_kind = 'S'
GROUP BY key_2, `month`;
