-- What was read and what was wrong with it: nothing vanishes silently.
CREATE TABLE source_check (
    source_table STRING NOT NULL COMMENT 'Source table.',
    finding      STRING NOT NULL COMMENT 'READ: all rows of policies, claims and orders. CURRENCY_…: good policies or orders in that currency; nothing is published where there are two. UNKNOWN_…: rows kept whose reference leads nowhere. AFTER_WATERMARK: good rows not counted yet. Any other: rows rejected for this reason, see rejected_row.',
    row_count    BIGINT NOT NULL COMMENT 'Rows.',
    PRIMARY KEY (source_table, finding) NOT ENFORCED
) COMMENT 'Rows read, rejected and doubtful, by source table.';

-- Every row of the inner table is a kind of row with the findings that hold for it; an empty finding says nothing.
CREATE VIEW source_check_rows AS
SELECT source_table, finding, SUM(row_count) AS row_count
FROM (
    SELECT c.source_table, f.finding, c.row_count
    FROM (
        SELECT
            source_table, row_count,
            CASE
                WHEN source_table NOT IN ('policies', 'claims', 'orders') THEN ARRAY['', reject_reason, '', '', '']
                WHEN reject_reason IS NOT NULL THEN ARRAY['READ', reject_reason, '', '', '']
                ELSE ARRAY['READ', finding_1, finding_2, finding_3, COALESCE('CURRENCY_' || currency, '')]
            END AS findings
        FROM (
            SELECT
                'policies' AS source_table, reject_reason, currency,
                CASE WHEN device_known THEN '' ELSE 'UNKNOWN_DEVICE' END AS finding_1,
                CASE WHEN store_known THEN '' ELSE 'UNKNOWN_STORE' END AS finding_2,
                '' AS finding_3,
                row_count
            FROM (
                SELECT reject_reason, device_known, store_known, currency, COUNT(*) AS row_count
                FROM policy_checked
                GROUP BY reject_reason, device_known, store_known, currency
            )
            UNION ALL
            SELECT
                'claims', reject_reason, CAST(NULL AS STRING),
                CASE WHEN shop_known THEN '' ELSE 'UNKNOWN_REPAIR_SHOP' END,
                CASE WHEN part_known THEN '' ELSE 'UNKNOWN_PART' END,
                CASE WHEN in_time THEN '' ELSE 'AFTER_WATERMARK' END,
                row_count
            FROM (
                SELECT reject_reason, shop_known, part_known, in_time, COUNT(*) AS row_count
                FROM claim_checked
                GROUP BY reject_reason, shop_known, part_known, in_time
            )
            UNION ALL
            SELECT 'orders', reject_reason, currency, '', '', '', COUNT(*) FROM order_checked GROUP BY reject_reason, currency
            UNION ALL
            SELECT source_table, 'DUPLICATE_KEY', CAST(NULL AS STRING), '', '', '', SUM(copies)
            FROM duplicate_keys
            WHERE source_table NOT IN ('policies', 'claims')
            GROUP BY source_table
            UNION ALL
            SELECT source_table, 'BAD_TYPE', CAST(NULL AS STRING), '', '', '', COUNT(*) FROM unreadable_rows GROUP BY source_table
        )
    ) AS c
    CROSS JOIN UNNEST(c.findings) AS f (finding)
)
WHERE finding <> ''
GROUP BY source_table, finding;
