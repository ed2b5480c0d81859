SELECT window_start, window_end,
       count(*) AS total_requests,
       count(DISTINCT service) AS active_services,
       count(DISTINCT user_id) AS active_users,
       avg(response_time) AS avg_response_time,
       count(*) FILTER (WHERE status_code >= 400) AS error_count,
       100 * error_count / total_requests AS error_rate,
       CASE WHEN error_rate < 1 THEN 100
            WHEN error_rate < 5 THEN 80
            WHEN error_rate < 10 THEN 60
            ELSE 40 END AS health_score
FROM windows(INTERVAL 1 MINUTE, INTERVAL 1 MINUTE)
GROUP BY window_start, window_end
ORDER BY window_end, window_start;
