SELECT window_start, window_end, ip_address,
       count(*) AS request_count,
       count(DISTINCT user_id) AS unique_users
FROM windows(INTERVAL 1 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end, ip_address
HAVING count(*) > 100 AND count(DISTINCT user_id) < 5
ORDER BY window_end, window_start, ip_address NULLS FIRST;
