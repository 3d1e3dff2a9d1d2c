-- Windows whose value first exceeds what chance explains; the next ones of the same surge add no row.
CREATE TABLE stream_warning (
    kind        STRING    NOT NULL COMMENT 'INSURER_FAILURES, REPAIR_SHOP_CLAIMS or STORE_CLAIMS.',
    entity_id   STRING    NOT NULL COMMENT 'Insurer, repair shop or store.',
    window_end  TIMESTAMP NOT NULL COMMENT 'End of the window, UTC.',
    `value`     BIGINT    NOT NULL COMMENT 'Failed submissions, or claims, in the window.',
    baseline    DOUBLE    NOT NULL COMMENT 'How many were to be expected.',
    threshold   DOUBLE    NOT NULL COMMENT 'The value exceeds it; by chance it does so in one window of 100,000 at most.',
    detected_at TIMESTAMP NOT NULL COMMENT 'When the job found it, UTC.',
    PRIMARY KEY (kind, entity_id, window_end) NOT ENFORCED
) COMMENT 'Surges found by the streaming job.';
