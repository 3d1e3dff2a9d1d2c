-- Embedded sinks: headerless CSV files, one folder a result table, which the loader publishes into the risk query store.
-- An incremental run writes the opened partitions alone; else the conditions are TRUE.

CREATE TABLE channel_month_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/channel_month', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE channel_month;
INSERT OVERWRITE channel_month_csv SELECT * FROM channel_month_rows WHERE ${channel_month_opened};

CREATE TABLE device_model_month_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/device_model_month', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE device_model_month;
INSERT OVERWRITE device_model_month_csv SELECT * FROM device_model_month_rows WHERE ${device_model_month_opened};

CREATE TABLE store_month_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/store_month', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE store_month;
INSERT OVERWRITE store_month_csv SELECT * FROM store_month_rows WHERE ${store_month_opened};

CREATE TABLE product_month_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/product_month', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE product_month;
INSERT OVERWRITE product_month_csv SELECT * FROM product_month_rows WHERE ${product_month_opened};

CREATE TABLE repair_shop_month_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/repair_shop_month', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE repair_shop_month;
INSERT OVERWRITE repair_shop_month_csv SELECT * FROM repair_shop_month_rows WHERE ${repair_shop_month_opened};

CREATE TABLE insurer_product_day_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/insurer_product_day', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE insurer_product_day;
INSERT OVERWRITE insurer_product_day_csv SELECT * FROM insurer_product_day_rows WHERE ${insurer_product_day_opened};

CREATE TABLE source_check_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/source_check', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE source_check;
INSERT OVERWRITE source_check_csv SELECT * FROM source_check_rows;

CREATE TABLE rating_cell_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/rating_cell', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE rating_cell;
INSERT OVERWRITE rating_cell_csv SELECT * FROM rating_cell_rows WHERE ${rating_cell_opened};

CREATE TABLE channel_mix_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/channel_mix', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE channel_mix;
INSERT OVERWRITE channel_mix_csv SELECT * FROM channel_mix_rows;

CREATE TABLE claim_development_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/claim_development', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE claim_development;
INSERT OVERWRITE claim_development_csv SELECT * FROM claim_development_rows WHERE ${claim_development_opened};

CREATE TABLE customer_funnel_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/customer_funnel', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE customer_funnel;
INSERT OVERWRITE customer_funnel_csv SELECT * FROM customer_funnel_rows WHERE ${customer_funnel_opened};

CREATE TABLE rejected_row_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/rejected_row', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE rejected_row;
INSERT OVERWRITE rejected_row_csv SELECT * FROM rejected_row_rows;

CREATE TABLE claim_evidence_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/claim_evidence', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE claim_evidence;
INSERT OVERWRITE claim_evidence_csv SELECT * FROM claim_evidence_rows;

CREATE TABLE repair_shop_fault_csv WITH (
    'connector' = 'filesystem', 'path' = '${results}/repair_shop_fault', 'format' = 'csv', 'csv.null-literal' = ''
) LIKE repair_shop_fault;
INSERT OVERWRITE repair_shop_fault_csv SELECT * FROM repair_shop_fault_rows WHERE ${repair_shop_fault_opened};
