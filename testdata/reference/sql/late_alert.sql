-- Over the records that were late for `user_latest`.
SELECT user_id,
       count(*) AS late_event_count,
       min(event_time) AS earliest_late_event
FROM late()
GROUP BY user_id
HAVING count(*) > 5
ORDER BY user_id NULLS FIRST;
