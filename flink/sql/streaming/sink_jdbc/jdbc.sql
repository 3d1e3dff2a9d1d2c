-- Sinks of a PostgreSQL store: upserts by key, so that what is written again after a restore changes nothing. Instants go as
-- texts that the database reads (stringtype=unspecified): a TIMESTAMP would be taken for local time of the JVM.

CREATE TABLE insurer_window_jdbc (
    insurer_id STRING,
    window_start STRING,
    window_end STRING,
    orders BIGINT,
    unfinished BIGINT,
    submissions BIGINT,
    insured BIGINT,
    rejected BIGINT,
    technical_failures BIGINT,
    `unknown` BIGINT,
    caller_faults BIGINT,
    latency_ms_sum BIGINT,
    latency_count BIGINT,
    latency_ms_max BIGINT,
    latency_le_100 BIGINT,
    latency_le_300 BIGINT,
    latency_le_1000 BIGINT,
    latency_le_3000 BIGINT,
    latency_le_10000 BIGINT,
    PRIMARY KEY (insurer_id, window_end) NOT ENFORCED
) WITH (${jdbc_options}, 'table-name' = 'risk.insurer_window');
INSERT INTO insurer_window_jdbc
SELECT
    insurer_id,
    DATE_FORMAT(window_start, 'yyyy-MM-dd HH:mm:ss''Z'''),
    DATE_FORMAT(window_end, 'yyyy-MM-dd HH:mm:ss''Z'''), orders, unfinished, submissions, insured, rejected, technical_failures, `unknown`,
    caller_faults, latency_ms_sum, latency_count, latency_ms_max, latency_le_100, latency_le_300, latency_le_1000,
    latency_le_3000, latency_le_10000
FROM insurer_window_rows;

CREATE TABLE repair_shop_window_jdbc (
    repair_shop_id STRING,
    window_start STRING,
    window_end STRING,
    claims BIGINT,
    incurred_minor BIGINT,
    baseline_claims DOUBLE,
    PRIMARY KEY (repair_shop_id, window_end) NOT ENFORCED
) WITH (${jdbc_options}, 'table-name' = 'risk.repair_shop_window');
INSERT INTO repair_shop_window_jdbc
SELECT
    entity_id,
    DATE_FORMAT(window_start, 'yyyy-MM-dd HH:mm:ss''Z'''),
    DATE_FORMAT(window_end, 'yyyy-MM-dd HH:mm:ss''Z'''), claims, incurred_minor, baseline_claims
FROM claim_window_rows
WHERE kind = 'REPAIR_SHOP_CLAIMS';

CREATE TABLE store_window_jdbc (
    store_id STRING,
    window_start STRING,
    window_end STRING,
    claims BIGINT,
    incurred_minor BIGINT,
    baseline_claims DOUBLE,
    PRIMARY KEY (store_id, window_end) NOT ENFORCED
) WITH (${jdbc_options}, 'table-name' = 'risk.store_window');
INSERT INTO store_window_jdbc
SELECT
    entity_id,
    DATE_FORMAT(window_start, 'yyyy-MM-dd HH:mm:ss''Z'''),
    DATE_FORMAT(window_end, 'yyyy-MM-dd HH:mm:ss''Z'''), claims, incurred_minor, baseline_claims
FROM claim_window_rows
WHERE kind = 'STORE_CLAIMS';

CREATE TABLE stream_warning_jdbc (
    kind STRING,
    entity_id STRING,
    window_end STRING,
    `value` BIGINT,
    baseline DOUBLE,
    threshold DOUBLE,
    detected_at STRING,
    PRIMARY KEY (kind, entity_id, window_end) NOT ENFORCED
) WITH (${jdbc_options}, 'table-name' = 'risk.stream_warning');
INSERT INTO stream_warning_jdbc
SELECT
    kind, entity_id,
    DATE_FORMAT(window_end, 'yyyy-MM-dd HH:mm:ss''Z'''), `value`, baseline, threshold,
    DATE_FORMAT(detected_at, 'yyyy-MM-dd HH:mm:ss.SSS''Z''')
FROM insurer_warning_rows;
INSERT INTO stream_warning_jdbc
SELECT
    kind, entity_id,
    DATE_FORMAT(window_end, 'yyyy-MM-dd HH:mm:ss''Z'''), `value`, baseline, threshold,
    DATE_FORMAT(detected_at, 'yyyy-MM-dd HH:mm:ss.SSS''Z''')
FROM claim_warning_rows;
