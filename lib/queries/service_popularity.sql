-- How much is each service asked for, and by how many users, minute by minute?
SELECT window, service,
       count(*) AS request_count,
       count(DISTINCT user_id) AS unique_users
FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute'), service
