SELECT window_start, window_end, action,
       count(*) AS count,
       sum(value) AS total_value
FROM windows(INTERVAL 5 MINUTE, INTERVAL 5 MINUTE)
GROUP BY window_start, window_end, action
ORDER BY window_end, window_start, action NULLS FIRST;
