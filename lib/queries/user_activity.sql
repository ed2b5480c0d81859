-- How active is each user in five minutes, and how fast are they served?
SELECT window, user_id,
       count(*) AS activity_count,
       count(DISTINCT service) AS services_used,
       avg(response_time) AS avg_response_time
FROM logs WATERMARK timestamp DELAY OF INTERVAL 10 MINUTES
GROUP BY window(timestamp, '5 minutes'), user_id
