-- What was read and what was wrong with it: nothing vanishes silently.
CREATE TABLE source_check (
    source_table STRING NOT NULL COMMENT 'Source table.',
    finding      STRING NOT NULL COMMENT 'READ: all rows. DUPLICATE_KEY: keys that occur more than once; nothing is published then. UNKNOWN_…: rows kept whose reference leads nowhere. AFTER_WATERMARK: good rows not counted yet. MIXED_CURRENCY: currencies found beyond the first; nothing is published then. Any other: rows rejected for this reason.',
    row_count    BIGINT NOT NULL COMMENT 'Rows, keys or currencies.',
    PRIMARY KEY (source_table, finding) NOT ENFORCED
) COMMENT 'Rows read, rejected and doubtful, by source table.';

CREATE VIEW source_check_rows AS
SELECT 'policies' AS source_table, 'READ' AS finding, COUNT(*) AS row_count FROM policy_checked
UNION ALL SELECT 'claims', 'READ', COUNT(*) FROM claim_checked
UNION ALL SELECT 'orders', 'READ', COUNT(*) FROM order_checked
UNION ALL SELECT 'policies', reject_reason, COUNT(*) FROM policy_checked WHERE reject_reason IS NOT NULL GROUP BY reject_reason
UNION ALL SELECT 'claims', reject_reason, COUNT(*) FROM claim_checked WHERE reject_reason IS NOT NULL GROUP BY reject_reason
UNION ALL SELECT 'orders', reject_reason, COUNT(*) FROM order_checked WHERE reject_reason IS NOT NULL GROUP BY reject_reason
UNION ALL SELECT 'policies', 'UNKNOWN_DEVICE', COUNT(*) FROM policy_checked WHERE reject_reason IS NULL AND NOT device_known
UNION ALL SELECT 'policies', 'UNKNOWN_STORE', COUNT(*) FROM policy_checked WHERE reject_reason IS NULL AND NOT store_known
UNION ALL SELECT 'claims', 'UNKNOWN_REPAIR_SHOP', COUNT(*) FROM claim_checked WHERE reject_reason IS NULL AND NOT shop_known
UNION ALL SELECT 'claims', 'AFTER_WATERMARK', COUNT(*) FROM claim_checked
    WHERE reject_reason IS NULL AND (occurred_on >= DATE '${watermark_date}' OR reported_time >= TIMESTAMP '${watermark}')
UNION ALL SELECT 'policies', 'MIXED_CURRENCY', COUNT(DISTINCT currency) - 1 FROM policy_checked WHERE reject_reason IS NULL
UNION ALL SELECT 'policies', 'DUPLICATE_KEY', COUNT(*) FROM (SELECT policy_id FROM policies GROUP BY policy_id HAVING COUNT(*) > 1)
UNION ALL SELECT 'claims', 'DUPLICATE_KEY', COUNT(*) FROM (SELECT claim_id FROM claims GROUP BY claim_id HAVING COUNT(*) > 1)
UNION ALL SELECT 'devices', 'DUPLICATE_KEY', COUNT(*) FROM (SELECT device_id FROM devices GROUP BY device_id HAVING COUNT(*) > 1)
UNION ALL SELECT 'channels', 'DUPLICATE_KEY', COUNT(*) FROM (SELECT store_id FROM channels GROUP BY store_id HAVING COUNT(*) > 1)
UNION ALL SELECT 'repair_shops', 'DUPLICATE_KEY', COUNT(*) FROM (SELECT repair_shop_id FROM repair_shops GROUP BY repair_shop_id HAVING COUNT(*) > 1);
