-- One row an insured device. Serial numbers stay where they are: device_id is opaque.
CREATE TABLE devices (
    device_id          STRING COMMENT 'Key; opaque.',
    device_model_id    STRING COMMENT 'Model.',
    brand              STRING COMMENT 'Brand of the model.',
    category           STRING COMMENT 'Device category of the model.',
    device_price_minor BIGINT COMMENT 'Price of the device at the sale, in minor units.',
    purchased_on       DATE   COMMENT 'Optional: day the device was bought.'
) COMMENT 'Insured devices.' WITH (
    'connector' = 'filesystem',
    'path' = '${input}/devices',
    'format' = 'csv',
    'csv.null-literal' = ''
);
