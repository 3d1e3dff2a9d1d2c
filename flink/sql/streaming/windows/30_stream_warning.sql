-- Where a count exceeds what chance explains. Of a Poisson number X with mean m, P(X >= m + t) <= exp(-t^2 / (2 (m + t/3)))
-- (Bernstein's inequality; Boucheron, Lugosi, Massart: Concentration Inequalities, 2013, section 2.8). The right side is
-- 1/100,000 at t = L/3 + sqrt(L^2/9 + 2 L m) with L = ln 100,000 = 11.512925464970229.
--
-- Insurers and claims are judged apart: together each would wait for the other's events.
CREATE VIEW insurer_judged AS
SELECT
    *, `value` > threshold AS exceeds,
    LAG(CASE WHEN `value` > threshold THEN window_end END) OVER (PARTITION BY insurer_id ORDER BY window_time) AS exceeded_until
FROM (
    SELECT
        *,
        baseline + 11.512925464970229E0 / 3 + SQRT(POWER(11.512925464970229E0 / 3, 2) + 2 * 11.512925464970229E0 * baseline)
            AS threshold
    FROM (
        SELECT
            insurer_id, window_end, window_time, technical_failures + `unknown` AS `value`,
            CAST((insured + rejected + technical_failures + `unknown`) * ${normal_failure_share} AS DOUBLE) AS baseline
        FROM insurer_window_rows
    )
);

CREATE VIEW claim_judged AS
SELECT
    *, claims > threshold AS exceeds,
    LAG(CASE WHEN claims > threshold THEN window_end END) OVER (PARTITION BY kind, entity_id ORDER BY window_time) AS exceeded_until
FROM (
    SELECT
        *,
        baseline_claims + 11.512925464970229E0 / 3
            + SQRT(POWER(11.512925464970229E0 / 3, 2) + 2 * 11.512925464970229E0 * baseline_claims) AS threshold
    FROM claim_window_rows
    WHERE baseline_claims IS NOT NULL
);

CREATE VIEW insurer_warning_rows AS
SELECT
    'INSURER_FAILURES' AS kind, insurer_id AS entity_id, window_end, `value`, baseline, threshold,
    CAST(CURRENT_TIMESTAMP AS TIMESTAMP(3)) AS detected_at
FROM insurer_judged
WHERE exceeds AND (exceeded_until IS NULL OR exceeded_until < window_end - INTERVAL '15' SECOND);

CREATE VIEW claim_warning_rows AS
SELECT
    kind, entity_id, window_end, claims AS `value`, baseline_claims AS baseline, threshold,
    CAST(CURRENT_TIMESTAMP AS TIMESTAMP(3)) AS detected_at
FROM claim_judged
WHERE exceeds AND (exceeded_until IS NULL OR exceeded_until < window_end - INTERVAL '15' SECOND);
