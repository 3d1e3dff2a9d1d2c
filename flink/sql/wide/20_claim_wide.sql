-- Claims with the keys of their policy and why a row is rejected.
CREATE VIEW claim_checked AS
SELECT /*+ BROADCAST(r, q, u) */
    k.claim_id, k.policy_id, k.repair_shop_id, k.part_code, k.fault_code, k.occurred_on, k.status, k.incurred_minor, k.reported_time,
    p.application_id, p.insurer_id, p.product_code, p.product_line, p.store_id, p.channel_id, p.region, p.tier,
    p.device_model_id, p.brand, p.category, p.term_months, p.start_date,
    k.repair_shop_id IS NULL OR r.repair_shop_id IS NOT NULL AS shop_known,
    q.part_code IS NOT NULL AS part_known,
    COALESCE(q.list_price_minor, 0) AS list_price_minor,
    k.occurred_on < DATE '${watermark_date}' AND k.reported_time < TIMESTAMP '${watermark}' AS in_time,
    CASE
        WHEN k.claim_id IS NULL OR k.policy_id IS NULL OR k.part_code IS NULL OR k.fault_code IS NULL
            OR k.occurred_on IS NULL OR k.reported_at IS NULL OR k.incurred_minor IS NULL OR k.status IS NULL THEN 'MISSING_VALUE'
        WHEN u.row_key IS NOT NULL THEN 'DUPLICATE_KEY'
        WHEN k.reported_time IS NULL THEN 'BAD_TIME'
        WHEN k.status NOT IN ('OPEN', 'PAID', 'DENIED') THEN 'BAD_STATUS'
        WHEN k.incurred_minor < 0 THEN 'BAD_AMOUNT'
        WHEN p.policy_id IS NULL THEN 'UNKNOWN_POLICY'
        WHEN p.reject_reason IS NOT NULL THEN 'REJECTED_POLICY'
    END AS reject_reason
FROM (SELECT *, TO_TIMESTAMP(REPLACE(REPLACE(reported_at, 'T', ' '), 'Z', '')) AS reported_time FROM claims) AS k
-- A policy whose key occurs twice is unknown: the join must not multiply claims.
LEFT JOIN (SELECT * FROM policy_checked WHERE reject_reason IS NULL OR reject_reason <> 'DUPLICATE_KEY') AS p
    ON k.policy_id = p.policy_id
LEFT JOIN shop_once AS r ON k.repair_shop_id = r.repair_shop_id
LEFT JOIN part_once AS q ON k.part_code = q.part_code
LEFT JOIN (SELECT row_key FROM duplicate_keys WHERE source_table = 'claims') AS u ON k.claim_id = u.row_key;

-- Claims that occurred and were reported before the watermark. A DENIED claim counts as a claim and incurs nothing.
CREATE VIEW claim_wide AS
SELECT
    claim_id, policy_id, application_id, repair_shop_id, part_code, fault_code, occurred_on, insurer_id, product_code, product_line,
    store_id, channel_id, region, tier, device_model_id, brand, category, term_months,
    FLOOR(occurred_on TO MONTH) AS `month`,
    CAST(TIMESTAMPDIFF(MONTH, FLOOR(occurred_on TO MONTH), FLOOR(reported_time TO MONTH)) AS BIGINT) AS delay_months,
    CAST(1 AS BIGINT) AS claims,
    CAST(CASE WHEN status = 'DENIED' THEN 1 ELSE 0 END AS BIGINT) AS denied,
    CASE WHEN status = 'DENIED' THEN 0 ELSE incurred_minor END AS incurred_minor,
    CASE WHEN status = 'DENIED' THEN 0 ELSE list_price_minor END AS list_price_minor,
    CASE
        WHEN status = 'DENIED' THEN CAST(0 AS DECIMAL(38, 0))
        ELSE CAST(CAST(incurred_minor AS DECIMAL(19, 0)) * CAST(incurred_minor AS DECIMAL(19, 0)) AS DECIMAL(38, 0))
    END AS incurred_squared,
    CAST(TIMESTAMPDIFF(DAY, start_date, occurred_on) AS BIGINT) AS days_since_start,
    CAST(CASE WHEN TIMESTAMPDIFF(DAY, start_date, occurred_on) BETWEEN 0 AND 30 THEN 1 ELSE 0 END AS BIGINT) AS within_30_days,
    CAST(COALESCE(TIMESTAMPDIFF(DAY, previous_on, occurred_on), -1) AS BIGINT) AS days_since_previous_claim,
    CAST(CASE WHEN previous_on IS NULL THEN 0 ELSE 1 END AS BIGINT) AS repeated
FROM (
    SELECT *, LAG(occurred_on) OVER (PARTITION BY policy_id ORDER BY occurred_on, claim_id) AS previous_on
    FROM claim_checked
    WHERE reject_reason IS NULL AND in_time
);
