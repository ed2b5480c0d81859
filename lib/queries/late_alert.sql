-- Whose events keep coming late? For a stream of late records, in update mode: totals since the start, without windows.
SELECT user_id,
       count(*) AS late_event_count,
       min(timestamp) AS earliest_late_event
FROM late_events
GROUP BY user_id
HAVING late_event_count > 5
