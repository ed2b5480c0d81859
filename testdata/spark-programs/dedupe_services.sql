-- Counts, sums and distinct values, of which a duplicate changes all but the last.
SELECT window, service,
       count(*) AS n,
       sum(response_time) AS busy,
       count(DISTINCT request_id) AS requests
FROM logs WATERMARK timestamp DELAY OF INTERVAL 1 MINUTE
WHERE service <> 'auth'
GROUP BY window(timestamp, '30 seconds'), service
