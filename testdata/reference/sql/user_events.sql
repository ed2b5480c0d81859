SELECT window_start, window_end, user_id,
       count(*) AS event_count,
       sum(value) AS total_value,
       avg(value) AS avg_value
FROM windows(INTERVAL 5 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end, user_id
ORDER BY window_end, window_start, user_id NULLS FIRST;
