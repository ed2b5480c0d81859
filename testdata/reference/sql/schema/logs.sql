-- `line` is the order of arrival.
CREATE TABLE records AS
SELECT row_number() OVER () AS line,
       CAST(timestamp AS TIMESTAMP) AS event_time,
       service, ip_address, user_id, response_time,
       TRY_CAST(status_code AS INTEGER) AS status_code
FROM read_ndjson(getvariable('input'), columns = {
    timestamp: 'VARCHAR', service: 'VARCHAR', ip_address: 'VARCHAR', user_id: 'VARCHAR',
    response_time: 'DOUBLE', status_code: 'VARCHAR'});
