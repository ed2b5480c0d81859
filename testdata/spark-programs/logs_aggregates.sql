-- Aggregates that keep or order values, and functions of text and time.
SELECT window, service, hour(window.start) AS hour,
       median(response_time) AS half,
       percentile(response_time, array(0.25, 0.9)) AS shares,
       min_by(user_id, timestamp) AS first_user,
       max_by(ip_address, timestamp) AS last_address,
       max_by(timestamp, timestamp) AS latest,
       count(DISTINCT user_id, ip_address) AS pairs,
       count_if(regexp_replace(ip_address, '^([0-9]+)[.].*$', '$1') = '198') AS of_198,
       count(*) div 2 AS half_of_all
FROM logs WATERMARK timestamp DELAY OF INTERVAL 2 MINUTES
GROUP BY window(timestamp, '4 minutes'), service
