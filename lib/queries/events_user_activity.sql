-- What does each user do within a minute, and in which order, seen every 30 seconds?
SELECT window, user_id,
       count(*) AS total_events,
       count(DISTINCT action) AS unique_actions,
       sum(value) AS total_value,
       collect_list(action) AS actions_sequence
FROM events WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute', '30 seconds'), user_id
