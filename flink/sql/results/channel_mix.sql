-- What each channel has sold, and what became of it: the mix that a channel's rating is adjusted for. Without months, so
-- that it has few rows however long the history is.
CREATE TABLE channel_mix (
    channel_id           STRING NOT NULL COMMENT 'Channel; UNKNOWN where the store is in no row of channels.',
    product_code         STRING NOT NULL COMMENT 'Product.',
    product_line         STRING NOT NULL COMMENT 'Group of products.',
    category             STRING NOT NULL COMMENT 'Device category; UNKNOWN where the device is in no row of devices.',
    region               STRING NOT NULL COMMENT 'Region of the store; UNKNOWN where the store is in no row of channels.',
    tier                 STRING NOT NULL COMMENT 'Tier of the store; UNKNOWN likewise.',
    policies             BIGINT NOT NULL COMMENT 'Policies with at least one day at risk before the watermark.',
    exposure_years       DOUBLE NOT NULL COMMENT 'Policy-years at risk, to the watermark; summed exactly.',
    earned_premium_minor BIGINT NOT NULL COMMENT 'Premium less refunds earned to the watermark, in minor units, rounded down once.',
    claims               BIGINT NOT NULL COMMENT 'Claims that occurred and were reported before the watermark, denied ones included.',
    denied               BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    incurred_minor       BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    PRIMARY KEY (channel_id, product_code, product_line, category, region, tier) NOT ENFORCED
) COMMENT 'Exposure, premium and claims by channel, product, device category, region and tier.';

CREATE VIEW channel_mix_rows AS
SELECT
    channel_id, product_code, product_line, category, region, tier,
    SUM(policies) AS policies,
    CAST(SUM(exposure_parts) AS DOUBLE) / 1.461e9 AS exposure_years,
    SUM(earned) / 10000 AS earned_premium_minor,
    SUM(claims) AS claims, SUM(denied) AS denied, SUM(incurred_minor) AS incurred_minor
FROM (
    SELECT
        channel_id, product_code, product_line, category, region, tier,
        SUM(at_risk) AS policies,
        SUM(exposure_at_once + exposure_a_day * (end_day - start_day)) AS exposure_parts,
        SUM(earned_at_once + earned_a_day * (end_day - start_day)) AS earned,
        CAST(0 AS BIGINT) AS claims, CAST(0 AS BIGINT) AS denied, CAST(0 AS BIGINT) AS incurred_minor
    FROM policy_wide
    GROUP BY channel_id, product_code, product_line, category, region, tier
    UNION ALL
    SELECT
        channel_id, product_code, product_line, category, region, tier,
        CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT),
        SUM(claims), SUM(denied), SUM(incurred_minor)
    FROM claim_wide
    GROUP BY channel_id, product_code, product_line, category, region, tier
)
GROUP BY channel_id, product_code, product_line, category, region, tier;
