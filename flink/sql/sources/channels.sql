-- One row a store, with the channel it belongs to.
CREATE TABLE channels (
    store_id     STRING COMMENT 'Key.',
    channel_id   STRING COMMENT 'Channel of the store.',
    channel_name STRING COMMENT 'Name of the channel.',
    region       STRING COMMENT 'Region of the store.',
    tier         STRING COMMENT 'Tier of the store.'
) COMMENT 'Stores and their channels.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/channels',
    'format' = 'csv',
    'csv.null-literal' = ''
);
