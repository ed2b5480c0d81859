-- How long does each service take to answer, minute by minute?
SELECT window, service,
       count(*) AS request_count,
       avg(response_time) AS avg_response_time,
       max(response_time) AS max_response_time,
       min(response_time) AS min_response_time,
       stddev(response_time) AS stddev_response_time
FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute'), service
