-- What does each user do without a pause of 20 seconds?
SELECT window, user_id,
       count(*) AS n,
       min(timestamp) AS first_seen,
       max(value) AS most
FROM events WATERMARK timestamp DELAY OF INTERVAL 1 MINUTE
GROUP BY session_window(timestamp, '20 seconds'), user_id
