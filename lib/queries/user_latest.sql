-- When was each user last seen within two minutes, and how often?
SELECT window, user_id,
       count(*) AS count,
       max(timestamp) AS latest_event_time
FROM events WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '2 minutes'), user_id
