-- How late claims are reported: what a young month will still grow by. Exposure of the same months is in channel_month.
CREATE TABLE claim_development (
    channel_id       STRING NOT NULL COMMENT 'Channel; UNKNOWN where the store is in no row of channels.',
    product_line     STRING NOT NULL COMMENT 'Group of products.',
    `month`          DATE   NOT NULL COMMENT 'First day of the calendar month of occurrence.',
    delay_months     BIGINT NOT NULL COMMENT 'Calendar months from the month of occurrence to that of the report; below 0 where a report precedes its damage.',
    claims           BIGINT NOT NULL COMMENT 'Claims of the month reported with this delay and before the watermark, denied ones included.',
    denied           BIGINT NOT NULL COMMENT 'Those of the claims that were denied.',
    incurred_minor   BIGINT NOT NULL COMMENT 'Paid plus reserved, as known at the watermark, on the claims that were not denied, in minor units.',
    incurred_squared DOUBLE NOT NULL COMMENT 'Sum of the squares of those amounts, in squared minor units. Summed exactly, rounded once.',
    PRIMARY KEY (channel_id, product_line, `month`, delay_months) NOT ENFORCED
) COMMENT 'Claims by month of occurrence and delay of the report.';

CREATE VIEW claim_development_rows AS
SELECT
    channel_id, product_line, `month`, delay_months,
    SUM(claims) AS claims, SUM(denied) AS denied, SUM(incurred_minor) AS incurred_minor,
    CAST(SUM(incurred_squared) AS DOUBLE) AS incurred_squared
FROM claim_wide
GROUP BY channel_id, product_line, `month`, delay_months;
