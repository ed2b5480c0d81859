-- How is the system as a whole, minute by minute? Its score falls with its errors.
SELECT window,
       count(*) AS total_requests,
       count(DISTINCT service) AS active_services,
       count(DISTINCT user_id) AS active_users,
       avg(response_time) AS avg_response_time,
       sum(CASE WHEN status_code >= 400 THEN 1 ELSE 0 END) AS error_count,
       error_count / total_requests * 100 AS error_rate,
       CASE WHEN error_rate < 1 THEN 100
            WHEN error_rate < 5 THEN 80
            WHEN error_rate < 10 THEN 60
            ELSE 40 END AS health_score
FROM logs WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '1 minute')
