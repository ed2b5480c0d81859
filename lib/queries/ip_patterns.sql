-- How much does each address ask for in five minutes, as whom, and of which services?
SELECT window, ip_address,
       count(*) AS request_count,
       count(DISTINCT user_id) AS unique_users,
       collect_set(service) AS services_used
FROM logs WATERMARK timestamp DELAY OF INTERVAL 10 MINUTES
GROUP BY window(timestamp, '5 minutes'), ip_address
