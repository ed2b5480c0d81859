SELECT window_start, window_end, user_id,
       count(*) AS activity_count,
       count(DISTINCT service) AS services_used,
       avg(response_time) AS avg_response_time
FROM windows(INTERVAL 5 MINUTE, INTERVAL 5 MINUTE)
GROUP BY window_start, window_end, user_id
ORDER BY window_end, window_start, user_id NULLS FIRST;
