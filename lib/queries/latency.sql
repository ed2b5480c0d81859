-- How slow are the slowest answers of each service, minute by minute?
SELECT window, service,
       count(*) AS request_count,
       percentile_approx(response_time, 0.5) AS p50_response_time,
       percentile_approx(response_time, 0.95) AS p95_response_time,
       percentile_approx(response_time, 0.99) AS p99_response_time
FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute'), service
