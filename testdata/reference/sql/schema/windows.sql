-- The watermark's decisions, which `event_time.py` makes: which windows refused
-- which records, and which records are late. Empty unless some are.
CREATE TABLE refused (line BIGINT, window_start TIMESTAMP);
CREATE TABLE late_lines (line BIGINT);

-- Each record once for each window [start, start + size) that took it. The
-- starts are counted from a midnight, which is a start for every slide here.
CREATE MACRO windows(size, slide) AS TABLE
WITH span AS (
    SELECT date_trunc('day', min(event_time)) - INTERVAL 1 DAY AS first, max(event_time) AS last
    FROM records
), starts AS (
    SELECT unnest(generate_series(first, last, slide)) AS window_start FROM span
)
SELECT records.*, window_start, window_start + size AS window_end
FROM records JOIN starts ON event_time >= window_start AND event_time < window_start + size
WHERE NOT EXISTS (
    FROM refused
    WHERE refused.line = records.line AND refused.window_start = starts.window_start
);

-- The records that no window took.
CREATE MACRO late() AS TABLE
FROM records WHERE line IN (SELECT late_lines.line FROM late_lines);
