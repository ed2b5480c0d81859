-- What share of each service's requests succeeds, and is answered within a second, in percent?
SELECT window, service,
       count(*) AS total_requests,
       sum(CASE WHEN response_time <= 1.0 THEN 1 ELSE 0 END) AS fast_requests,
       sum(CASE WHEN status_code = 200 THEN 1 ELSE 0 END) AS successful_requests,
       successful_requests / total_requests * 100 AS availability,
       fast_requests / total_requests * 100 AS performance
FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute'), service
