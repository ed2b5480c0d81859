SELECT window_start, window_end, action,
       count(*) AS action_count,
       count(DISTINCT user_id) AS unique_users,
       avg(value) AS avg_value,
       max(value) AS max_value,
       min(value) AS min_value
FROM windows(INTERVAL 2 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end, action
ORDER BY window_end, window_start, action NULLS FIRST;
