-- Orders by insurer, product and day of decision.
CREATE TABLE insurer_product_day (
    insurer_id         STRING NOT NULL COMMENT 'Insurer of the last decision; NONE where no insurer was left.',
    product_code       STRING NOT NULL COMMENT 'Product asked for.',
    `day`              DATE   NOT NULL COMMENT 'Day of the decision, UTC.',
    orders             BIGINT NOT NULL COMMENT 'All orders: insured + rejected + failed + unfinished + cancelled.',
    insured            BIGINT NOT NULL COMMENT 'INSURED.',
    rejected           BIGINT NOT NULL COMMENT 'REJECTED.',
    failed             BIGINT NOT NULL COMMENT 'ABNORMAL: submission failed technically or is unknown.',
    unfinished         BIGINT NOT NULL COMMENT 'PARKED, ROUTED or SUBMITTING.',
    cancelled          BIGINT NOT NULL COMMENT 'CANCELLED.',
    premium_minor      BIGINT NOT NULL COMMENT 'Premium of the insured orders, in minor units.',
    technical_failures BIGINT NOT NULL COMMENT 'Submissions that failed technically or stayed unknown.',
    rerouted           BIGINT NOT NULL COMMENT 'Orders that another insurer than the first decided one took.',
    PRIMARY KEY (insurer_id, product_code, `day`) NOT ENFORCED
) COMMENT 'Orders by insurer, product and day.';

CREATE VIEW insurer_product_day_rows AS
SELECT
    insurer_id, product_code, `day`,
    COUNT(*) AS orders,
    COUNT(*) FILTER (WHERE state = 'INSURED') AS insured,
    COUNT(*) FILTER (WHERE state = 'REJECTED') AS rejected,
    COUNT(*) FILTER (WHERE state = 'ABNORMAL') AS failed,
    COUNT(*) FILTER (WHERE state IN ('PARKED', 'ROUTED', 'SUBMITTING')) AS unfinished,
    COUNT(*) FILTER (WHERE state = 'CANCELLED') AS cancelled,
    COALESCE(SUM(premium_minor) FILTER (WHERE state = 'INSURED'), 0) AS premium_minor,
    SUM(CAST(technical_failures AS BIGINT)) AS technical_failures,
    COUNT(*) FILTER (WHERE rerouted) AS rerouted
FROM order_wide
GROUP BY insurer_id, product_code, `day`;
