-- Which users cause more than 50 events in five minutes, seen every two minutes?
SELECT window, user_id,
       count(*) AS event_count,
       sum(value) AS total_value
FROM events WATERMARK timestamp DELAY OF INTERVAL 10 MINUTES
GROUP BY window(timestamp, '5 minutes', '2 minutes'), user_id
HAVING event_count > 50
