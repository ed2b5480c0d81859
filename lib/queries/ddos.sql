-- Which addresses send over 100 requests a minute as fewer than 5 users?
SELECT window, ip_address,
       count(*) AS request_count,
       count(DISTINCT user_id) AS unique_users
FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute'), ip_address
HAVING request_count > 100 AND unique_users < 5
