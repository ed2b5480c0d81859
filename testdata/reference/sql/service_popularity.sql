SELECT window_start, window_end, service,
       count(*) AS request_count,
       count(DISTINCT user_id) AS unique_users
FROM windows(INTERVAL 1 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end, service
ORDER BY window_end, window_start, service NULLS FIRST;
