-- How often is each action taken in two minutes, by how many users, of what value, seen every minute?
SELECT window, action,
       count(*) AS action_count,
       count(DISTINCT user_id) AS unique_users,
       avg(value) AS avg_value,
       max(value) AS max_value,
       min(value) AS min_value
FROM events WATERMARK timestamp DELAY OF INTERVAL 5 MINUTES
GROUP BY window(timestamp, '2 minutes', '1 minute'), action
