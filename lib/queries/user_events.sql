-- How many events does each user cause in five minutes, of what value, seen every minute?
SELECT window, user_id,
       count(*) AS event_count,
       sum(value) AS total_value,
       avg(value) AS avg_value
FROM events WATERMARK timestamp DELAY OF INTERVAL 10 MINUTES
GROUP BY window(timestamp, '5 minutes', '1 minute'), user_id
