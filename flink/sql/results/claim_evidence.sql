-- Which claims of a store or repair shop to open first: the findings of ListAnomalies lead to them. At most 18 an entity.
CREATE TABLE claim_evidence (
    entity_kind               STRING NOT NULL COMMENT 'store or repair_shop.',
    entity_id                 STRING NOT NULL COMMENT 'Store that sold the policy, or shop that repaired.',
    reason                    STRING NOT NULL COMMENT 'Why the claim stands out: COST (dearer than the mean of its part and device category), REPEAT (its policy had an earlier claim) or EARLY (it occurred on the first day of cover or at most 30 days later).',
    `rank`                    BIGINT NOT NULL COMMENT 'Place among the claims of the entity with this reason, 1 to 6: by incurred less expected amount, the greatest first, then by claim_id.',
    claim_id                  STRING NOT NULL COMMENT 'Claim; key of claims.',
    policy_id                 STRING NOT NULL COMMENT 'Policy claimed on; key of policies.',
    `month`                   DATE   NOT NULL COMMENT 'First day of the calendar month of occurrence.',
    part_code                 STRING NOT NULL COMMENT 'Part repaired or replaced.',
    fault_code                STRING NOT NULL COMMENT 'What happened.',
    incurred_minor            BIGINT NOT NULL COMMENT 'Paid plus reserved, in minor units; 0 where the claim was denied.',
    expected_minor            BIGINT NOT NULL COMMENT 'Mean of the claims on the same part and device category that were not denied, rounded down, in minor units; 0 where there are none.',
    days_since_start          BIGINT NOT NULL COMMENT 'Days from the first day of cover to the damage; below 0 where the damage precedes it.',
    days_since_previous_claim BIGINT NOT NULL COMMENT 'Days since the last earlier claim on the policy (by day of occurrence, then claim_id), at whatever shop; -1 for a first claim.',
    PRIMARY KEY (entity_kind, entity_id, reason, `rank`) NOT ENFORCED
) COMMENT 'The claims of each store and repair shop that stand out most.';

CREATE VIEW claim_beside_mean AS
SELECT /*+ BROADCAST(m) */
    c.claim_id, c.policy_id, c.store_id, c.repair_shop_id, c.`month`, c.part_code, c.fault_code, c.incurred_minor,
    m.expected_minor, c.days_since_start, c.days_since_previous_claim, c.within_30_days, c.repeated
FROM claim_wide AS c
JOIN (
    SELECT
        part_code, category,
        CASE WHEN SUM(claims - denied) = 0 THEN CAST(0 AS BIGINT) ELSE SUM(incurred_minor) / SUM(claims - denied) END AS expected_minor
    FROM claim_wide
    GROUP BY part_code, category
) AS m ON c.part_code = m.part_code AND c.category = m.category;

CREATE VIEW claim_standing_out AS
SELECT
    k.entity_kind,
    CASE WHEN k.entity_kind = 'store' THEN c.store_id ELSE c.repair_shop_id END AS entity_id,
    k.reason, c.claim_id, c.policy_id, c.`month`, c.part_code, c.fault_code, c.incurred_minor, c.expected_minor,
    c.days_since_start, c.days_since_previous_claim
FROM claim_beside_mean AS c
CROSS JOIN (VALUES
    ('store', 'COST'), ('store', 'REPEAT'), ('store', 'EARLY'),
    ('repair_shop', 'COST'), ('repair_shop', 'REPEAT'), ('repair_shop', 'EARLY')
) AS k (entity_kind, reason)
WHERE (k.entity_kind = 'store' OR c.repair_shop_id IS NOT NULL)
    AND CASE k.reason
        WHEN 'COST' THEN c.incurred_minor > c.expected_minor
        WHEN 'REPEAT' THEN c.repeated = 1
        ELSE c.within_30_days = 1
    END;

CREATE VIEW claim_evidence_rows AS
SELECT
    entity_kind, entity_id, reason, `rank`, claim_id, policy_id, `month`, part_code, fault_code, incurred_minor,
    expected_minor, days_since_start, days_since_previous_claim
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY entity_kind, entity_id, reason ORDER BY incurred_minor - expected_minor DESC, claim_id
        ) AS `rank`
    FROM claim_standing_out
)
WHERE `rank` <= 6;
