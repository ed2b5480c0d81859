SELECT window_start, window_end, ip_address,
       count(*) AS request_count,
       count(DISTINCT user_id) AS unique_users,
       coalesce(
           list_sort(list(DISTINCT service) FILTER (WHERE service IS NOT NULL)), []
       ) AS services_used
FROM windows(INTERVAL 5 MINUTE, INTERVAL 5 MINUTE)
GROUP BY window_start, window_end, ip_address
ORDER BY window_end, window_start, ip_address NULLS FIRST;
