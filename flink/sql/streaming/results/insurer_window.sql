-- What became of the submissions to an insurer in the last half hour. Several streaming columns count submissions by the
-- outcome of the call itself: failure rate = (technical_failures + unknown) / (insured + rejected + technical_failures +
-- unknown); mean latency = latency_ms_sum / latency_count; quantiles follow from the cumulative latency_le_ columns.
CREATE TABLE insurer_window (
    insurer_id         STRING    NOT NULL COMMENT 'Insurer that was called.',
    window_start       TIMESTAMP NOT NULL COMMENT 'Begin of the window, UTC.',
    window_end         TIMESTAMP NOT NULL COMMENT 'End of the window, 30 minutes later, not included; every 15 seconds a window ends.',
    orders             BIGINT    NOT NULL COMMENT 'Orders of which a submission to the insurer began, ended or was settled in the window.',
    unfinished         BIGINT    NOT NULL COMMENT 'Those of the orders that the insurer has neither insured nor rejected by the end of the window: under way, failed or unknown.',
    submissions        BIGINT    NOT NULL COMMENT 'Submissions of those orders told of in the window; under way are those with none of the outcomes below.',
    insured            BIGINT    NOT NULL COMMENT 'Submissions with SUCCESS.',
    rejected           BIGINT    NOT NULL COMMENT 'Submissions with BUSINESS_REJECTION.',
    technical_failures BIGINT    NOT NULL COMMENT 'Submissions with TECHNICAL_FAILURE.',
    `unknown`          BIGINT    NOT NULL COMMENT 'Submissions with UNKNOWN, those whose answer nobody heard included.',
    caller_faults      BIGINT    NOT NULL COMMENT 'Submissions with CALLER_FAULT; no evidence against the insurer.',
    latency_ms_sum     BIGINT    NOT NULL COMMENT 'Sum of the durations of the calls that ended, in milliseconds.',
    latency_count      BIGINT    NOT NULL COMMENT 'Calls of which the duration is known.',
    latency_ms_max     BIGINT    NOT NULL COMMENT 'Longest duration, in milliseconds; 0 where none is known.',
    latency_le_100     BIGINT    NOT NULL COMMENT 'Calls of at most 100 ms.',
    latency_le_300     BIGINT    NOT NULL COMMENT 'Calls of at most 300 ms.',
    latency_le_1000    BIGINT    NOT NULL COMMENT 'Calls of at most 1 s.',
    latency_le_3000    BIGINT    NOT NULL COMMENT 'Calls of at most 3 s.',
    latency_le_10000   BIGINT    NOT NULL COMMENT 'Calls of at most 10 s.',
    PRIMARY KEY (insurer_id, window_end) NOT ENFORCED
) COMMENT 'Submissions by insurer in half hours, every 15 seconds.';
