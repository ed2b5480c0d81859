-- How often is each action taken in five minutes, and of what value in all?
SELECT window, action,
       count(*) AS count,
       sum(value) AS total_value
FROM events WATERMARK timestamp DELAY OF INTERVAL 10 MINUTES
GROUP BY window(timestamp, '5 minutes'), action
