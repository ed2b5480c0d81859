-- The same count as it grows, one row for each record that makes it change.
SELECT user_id,
       count(*) OVER so_far AS late_event_count,
       min(event_time) OVER so_far AS earliest_late_event
FROM late()
WINDOW so_far AS (PARTITION BY user_id ORDER BY line)
QUALIFY late_event_count > 5
ORDER BY line;
