-- Rows that do not have the types of their table. Whoever brings the input writes it: the embedded runner sets such rows
-- apart when it checks the files.
CREATE TABLE unreadable_rows (
    source_table STRING COMMENT 'Source table the row was meant for.',
    place        STRING COMMENT 'File and line.',
    problem      STRING COMMENT 'What can not be read.'
) COMMENT 'Rows set apart because they can not be read.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/unreadable_rows',
    'format' = 'csv',
    'csv.null-literal' = ''
);
