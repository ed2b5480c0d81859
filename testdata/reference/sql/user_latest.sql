SELECT window_start, window_end, user_id,
       count(*) AS count,
       max(event_time) AS latest_event_time
FROM windows(INTERVAL 2 MINUTE, INTERVAL 2 MINUTE)
GROUP BY window_start, window_end, user_id
ORDER BY window_end, window_start, user_id NULLS FIRST;
