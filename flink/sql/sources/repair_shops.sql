-- One row a repair shop.
CREATE TABLE repair_shops (
    repair_shop_id STRING COMMENT 'Key.',
    shop_name      STRING COMMENT 'Name of the shop.',
    region         STRING COMMENT 'Region of the shop.'
) COMMENT 'Repair shops.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/repair_shops',
    'format' = 'csv',
    'csv.null-literal' = ''
);
