"""Which windows take which records: event time told one record at a time.

Slow and plain on purpose. It knows windows and the watermark, and nothing of
keys and aggregates.
"""

from collections import namedtuple
from datetime import datetime, timedelta, timezone

MINUTE = 60 * 1_000_000

# Times and lengths are microseconds since the epoch. `delay` is how far the
# watermark stays behind.
Query = namedtuple("Query", "stream delay size slide")


def _query(stream, delay, size, slide=None):
    return Query(stream, delay * MINUTE, int(size * MINUTE), int((slide or size) * MINUTE))


# Watermark delay, size and slide in minutes.
QUERIES = {
    "response_time": _query("logs", 5, 1),
    "error_rate": _query("logs", 5, 1),
    "ip_patterns": _query("logs", 10, 5),
    "sla": _query("logs", 5, 1),
    "user_activity": _query("logs", 10, 5),
    "service_popularity": _query("logs", 5, 1),
    "system_health": _query("logs", 5, 1),
    "ddos": _query("logs", 5, 1),
    "user_events": _query("events", 10, 5, 1),
    "events_user_activity": _query("events", 5, 1, 0.5),
    "action_metrics": _query("events", 5, 2, 1),
    "user_burst": _query("events", 10, 5, 2),
    "watermarked_counts": _query("events", 10, 5),
    "user_latest": _query("events", 5, 2),
}

# What one pass over the logs runs, in this order.
LOG_ANALYSIS = [name for name, query in QUERIES.items() if query.stream == "logs"]

# Whose late records are counted by `late_alert`.
LATE_ALERT_SOURCE = "user_latest"

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros(timestamp):
    """Event time of a record: RFC 3339, or milliseconds since the epoch."""
    if isinstance(timestamp, int):
        return timestamp * 1000
    text = timestamp[:-1]
    whole, _, fraction = text.partition(".")
    seconds = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return (seconds - EPOCH) // timedelta(microseconds=1) + int(fraction.ljust(6, "0"))


def rfc3339(time):
    """As rows print a time."""
    text = (EPOCH + timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return (text[:-3] if text.endswith("000") else text) + "Z"


def window_starts(query, time):
    """The starts of all windows [start, start + size) that hold `time`."""
    start = time - time % query.slide
    starts = []
    while start + query.size > time:
        starts.append(start)
        start -= query.slide
    return starts


class Fates:
    """What became of a file's records under one query.

    Records are named by their line number, from 1.

    taken    (line, start) of each window that took a record
    refused  (line, start) of each window that was closed by then
    late     {line: watermark - time} of the records that all windows refused
    closes   {start: line} of the record that moved the watermark past the
             window's end; windows missing there close at the end of input
    """

    def __init__(self, query, times):
        self.taken, self.refused, self.late, self.closes = [], [], {}, {}
        open_windows, greatest, watermark = set(), None, None
        for line, time in enumerate(times, 1):
            starts = window_starts(query, time)
            closed = [s for s in starts if watermark is not None and s + query.size <= watermark]
            taken = [s for s in starts if s not in closed]
            self.refused += [(line, start) for start in closed]
            self.taken += [(line, start) for start in taken]
            if not taken:
                self.late[line] = watermark - time
            # The watermark moves after the record has been placed.
            open_windows.update(taken)
            greatest = time if greatest is None else max(greatest, time)
            watermark = greatest - query.delay
            done = {start for start in open_windows if start + query.size <= watermark}
            self.closes.update((start, line) for start in done)
            open_windows -= done
