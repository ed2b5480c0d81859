-- Deviations, a time among the columns, and a HAVING that names no column.
SELECT window.start AS begun, window, action,
       stddev_pop(value) AS spread,
       var_samp(value) AS variance,
       date_trunc('hour', max(timestamp)) AS hour,
       round(avg(value), 1) AS mean
FROM events WATERMARK timestamp DELAY OF INTERVAL 2 MINUTES
GROUP BY window(timestamp, '3 minutes'), action
HAVING count(DISTINCT user_id) > 2
