-- The rows that no figure contains, and why.
CREATE TABLE rejected_row (
    source_table STRING NOT NULL COMMENT 'Source table.',
    row_key      STRING NOT NULL COMMENT 'Key of the row; empty where it has none; file and line where the row can not be read.',
    reason       STRING NOT NULL COMMENT 'Why it was rejected: MISSING_VALUE, BAD_TYPE, BAD_TIME, BAD_STATUS, BAD_AMOUNT, END_BEFORE_START, TERM_TOO_LONG, DUPLICATE_KEY, UNKNOWN_POLICY or REJECTED_POLICY.',
    row_count    BIGINT NOT NULL COMMENT 'Rows with this key and reason.',
    PRIMARY KEY (source_table, row_key, reason) NOT ENFORCED
) COMMENT 'Rejected rows by key and reason.';

-- Orders are told apart by their application; the other tables' rows by their keys.
CREATE VIEW rejected_row_rows AS
SELECT source_table, row_key, reason, SUM(row_count) AS row_count
FROM (
    SELECT 'policies' AS source_table, COALESCE(policy_id, '') AS row_key, reject_reason AS reason, CAST(1 AS BIGINT) AS row_count
    FROM policy_checked WHERE reject_reason IS NOT NULL
    UNION ALL
    SELECT 'claims', COALESCE(claim_id, ''), reject_reason, CAST(1 AS BIGINT) FROM claim_checked WHERE reject_reason IS NOT NULL
    UNION ALL
    SELECT 'orders', COALESCE(application_id, ''), reject_reason, CAST(1 AS BIGINT) FROM order_checked WHERE reject_reason IS NOT NULL
    UNION ALL
    SELECT source_table, row_key, 'DUPLICATE_KEY', copies FROM duplicate_keys WHERE source_table NOT IN ('policies', 'claims')
    UNION ALL
    SELECT source_table, place, 'BAD_TYPE', CAST(1 AS BIGINT) FROM unreadable_rows
)
GROUP BY source_table, row_key, reason;
