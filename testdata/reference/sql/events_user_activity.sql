SELECT window_start, window_end, user_id,
       count(*) AS total_events,
       count(DISTINCT action) AS unique_actions,
       sum(value) AS total_value,
       coalesce(
           list(action ORDER BY line) FILTER (WHERE action IS NOT NULL), []
       ) AS actions_sequence
FROM windows(INTERVAL 1 MINUTE, INTERVAL 30 SECOND)
GROUP BY window_start, window_end, user_id
ORDER BY window_end, window_start, user_id NULLS FIRST;
