-- What share of each service's requests fails, minute by minute, in percent?
SELECT window, service,
       count(*) AS total_requests,
       sum(CASE WHEN status_code >= 400 THEN 1 ELSE 0 END) AS error_count,
       error_count / total_requests * 100 AS error_rate
FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute'), service
