SELECT window_start, window_end, service,
       count(*) AS total_requests,
       count(*) FILTER (WHERE response_time <= 1.0) AS fast_requests,
       count(*) FILTER (WHERE status_code = 200) AS successful_requests,
       100 * successful_requests / total_requests AS availability,
       100 * fast_requests / total_requests AS performance
FROM windows(INTERVAL 1 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end, service
ORDER BY window_end, window_start, service NULLS FIRST;
