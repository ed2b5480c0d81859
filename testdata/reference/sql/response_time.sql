SELECT window_start, window_end, service,
       count(*) AS request_count,
       avg(response_time) AS avg_response_time,
       max(response_time) AS max_response_time,
       min(response_time) AS min_response_time,
       stddev_samp(response_time) AS stddev_response_time
FROM windows(INTERVAL 1 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end, service
ORDER BY window_end, window_start, service NULLS FIRST;
