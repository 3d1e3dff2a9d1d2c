-- Claims by repair shop, fault and month: what a shop says had happened.
CREATE TABLE repair_shop_fault (
    repair_shop_id STRING NOT NULL COMMENT 'Shop that repaired. Claims settled without a repair are in no row.',
    fault_code     STRING NOT NULL COMMENT 'What happened.',
    `month`        DATE   NOT NULL COMMENT 'First day of the calendar month of occurrence.',
    claims         BIGINT NOT NULL COMMENT 'Claims that occurred in the month and were reported before the watermark, denied ones included.',
    incurred_minor BIGINT NOT NULL COMMENT 'Paid plus reserved on the claims that were not denied, in minor units.',
    PRIMARY KEY (repair_shop_id, fault_code, `month`) NOT ENFORCED
) COMMENT 'Claims by repair shop, fault and month.';

CREATE VIEW repair_shop_fault_rows AS
SELECT
    repair_shop_id, fault_code, `month`,
    SUM(claims) AS claims, SUM(incurred_minor) AS incurred_minor
FROM claim_wide
WHERE repair_shop_id IS NOT NULL
GROUP BY repair_shop_id, fault_code, `month`;
