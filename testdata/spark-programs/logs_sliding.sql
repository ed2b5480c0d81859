-- Sliding windows that start off the minute, a key that is computed, conditions in all places.
SELECT window, upper(service) AS service,
       count(*) AS n,
       count_if(status_code BETWEEN 400 AND 599) AS errors,
       sum(response_time) FILTER (WHERE level <> 'DEBUG') AS busy,
       errors / n AS share,
       CASE WHEN share > 0.5 THEN 'bad' WHEN share > 0.1 THEN concat('so-', 'so') ELSE 'good' END AS verdict
FROM logs WATERMARK timestamp DELAY OF INTERVAL 90 SECONDS
WHERE service IN ('web', 'auth', 'search') AND NOT ip_address LIKE '198.51.100.%'
GROUP BY window(timestamp, '5 minutes', '2 minutes', '30 seconds'), upper(service)
HAVING n > 1 AND max(response_time) >= 0.1
