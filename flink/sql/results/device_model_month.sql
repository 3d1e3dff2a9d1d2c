-- Exposure, premium and claims by device model and month.
CREATE TABLE device_model_month (
    device_model_id      STRING NOT NULL COMMENT 'Device model; UNKNOWN where the device is in no row of devices.',
    brand                STRING NOT NULL COMMENT 'Brand; UNKNOWN likewise.',
    category             STRING NOT NULL COMMENT 'Device category; UNKNOWN likewise.',
    `month`              DATE   NOT NULL COMMENT 'First day of the calendar month.',
    policies             BIGINT NOT NULL COMMENT 'Policies with at least one day at risk in the month.',
    exposure_years       DOUBLE NOT NULL COMMENT 'Policy-years at risk in the month, to the watermark; summed exactly in 1e-9 years. A year has 365.25 days.',
    earned_premium_minor BIGINT NOT NULL COMMENT 'Premium less refunds earned in the month, pro rata over the days of cover, in minor units. Each month is the difference of two floored cumulative amounts, so the months of a policy sum exactly to its net premium.',
    claims               BIGINT NOT NULL COMMENT 'Claims that occurred in the month and were reported before the watermark, denied ones included.',
    denied               BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    incurred_minor       BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    PRIMARY KEY (device_model_id, brand, category, `month`) NOT ENFORCED
) COMMENT 'Exposure, premium and claims by device model and month.';

CREATE VIEW device_model_month_rows AS
SELECT
    key_1 AS device_model_id, key_2 AS brand, key_3 AS category, `month`,
    policies, exposure_years, earned_premium_minor, claims, denied, incurred_minor
FROM portfolio_month
WHERE group_kind = 'M';
