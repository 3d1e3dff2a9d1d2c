-- One row a part that can be repaired or replaced. Claims name parts whether or not they are listed here.
CREATE TABLE parts (
    part_code        STRING COMMENT 'Key.',
    part_name        STRING COMMENT 'Name of the part.',
    category         STRING COMMENT 'Optional: device category that the part belongs to.',
    list_price_minor BIGINT COMMENT 'Optional: list price of one part, in minor units.'
) COMMENT 'Optional: parts and their list prices.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/parts',
    'format' = 'csv',
    'csv.null-literal' = ''
);
