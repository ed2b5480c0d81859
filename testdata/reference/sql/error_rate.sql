SELECT window_start, window_end, service,
       count(*) AS total_requests,
       count(*) FILTER (WHERE status_code >= 400) AS error_count,
       100 * error_count / total_requests AS error_rate
FROM windows(INTERVAL 1 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end, service
ORDER BY window_end, window_start, service NULLS FIRST;
