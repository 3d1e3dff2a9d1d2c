-- Claims by store in the last half hour, against its own days before. Windows without a claim have no row.
CREATE TABLE store_window (
    store_id        STRING    NOT NULL COMMENT 'Store that sold the policy.',
    window_start    TIMESTAMP NOT NULL COMMENT 'Begin of the window, UTC.',
    window_end      TIMESTAMP NOT NULL COMMENT 'End of the window, 30 minutes later, not included; every 15 seconds a window ends.',
    claims          BIGINT    NOT NULL COMMENT 'Claims reported in the window.',
    incurred_minor  BIGINT    NOT NULL COMMENT 'Paid plus reserved on them when they were reported, in minor units.',
    baseline_claims DOUBLE    COMMENT 'Optional: claims to be expected in half an hour: one more than those of its seven days up to the window, over the half hours from the first of them to the window; empty where these are less than twelve.',
    PRIMARY KEY (store_id, window_end) NOT ENFORCED
) COMMENT 'Claims by store in half hours, every 15 seconds.';
