-- `line` is the order of arrival.
CREATE TABLE records AS
SELECT row_number() OVER () AS line,
       make_timestamp_ms(timestamp) AS event_time,
       user_id, action, value
FROM read_ndjson(getvariable('input'), columns = {
    timestamp: 'BIGINT', user_id: 'VARCHAR', action: 'VARCHAR', value: 'DOUBLE'});
