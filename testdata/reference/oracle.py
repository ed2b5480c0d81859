"""The queries once more in plain Python, to check the goldens themselves.

Shares nothing with the SQL but the rules of `event_time`.
"""

import math
import statistics

from event_time import rfc3339


def number(value):
    """A cast to a number: null where there is none."""
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


class Group:
    """The records of one window and key, in order of arrival."""

    def __init__(self, records):
        self.records = records
        self.count = len(records)

    def all(self, field):
        """The values of a field that are not null."""
        return [record[field] for record in self.records if record.get(field) is not None]

    def distinct(self, field):
        return len(set(self.all(field)))

    def sum(self, field):
        return math.fsum(self.all(field)) if self.all(field) else None

    def avg(self, field):
        return self.sum(field) / len(self.all(field)) if self.all(field) else None

    def best(self, field, choose):
        return choose(self.all(field), default=None)

    def deviation(self, field):
        return statistics.stdev(self.all(field)) if len(self.all(field)) > 1 else None

    def tally(self, field, test):
        """How many records have a number in the field that passes."""
        numbers = (number(record.get(field)) for record in self.records)
        return sum(1 for value in numbers if value is not None and test(value))

    def percent(self, part):
        return part / self.count * 100


def response_time(group):
    return {
        "request_count": group.count,
        "avg_response_time": group.avg("response_time"),
        "max_response_time": group.best("response_time", max),
        "min_response_time": group.best("response_time", min),
        "stddev_response_time": group.deviation("response_time"),
    }


def error_rate(group):
    errors = group.tally("status_code", lambda code: code >= 400)
    return {
        "total_requests": group.count,
        "error_count": errors,
        "error_rate": group.percent(errors),
    }


def ip_patterns(group):
    return {
        "request_count": group.count,
        "unique_users": group.distinct("user_id"),
        "services_used": sorted(set(group.all("service"))),
    }


def sla(group):
    fast = group.tally("response_time", lambda seconds: seconds <= 1.0)
    successful = group.tally("status_code", lambda code: code == 200)
    return {
        "total_requests": group.count,
        "fast_requests": fast,
        "successful_requests": successful,
        "availability": group.percent(successful),
        "performance": group.percent(fast),
    }


def user_activity(group):
    return {
        "activity_count": group.count,
        "services_used": group.distinct("service"),
        "avg_response_time": group.avg("response_time"),
    }


def service_popularity(group):
    return {"request_count": group.count, "unique_users": group.distinct("user_id")}


def system_health(group):
    errors = error_rate(group)
    rate = errors["error_rate"]
    return {
        "total_requests": group.count,
        "active_services": group.distinct("service"),
        "active_users": group.distinct("user_id"),
        "avg_response_time": group.avg("response_time"),
        "error_count": errors["error_count"],
        "error_rate": rate,
        "health_score": 100 if rate < 1 else 80 if rate < 5 else 60 if rate < 10 else 40,
    }


def ddos(group):
    row = service_popularity(group)
    return row if row["request_count"] > 100 and row["unique_users"] < 5 else None


def user_events(group):
    return {
        "event_count": group.count,
        "total_value": group.sum("value"),
        "avg_value": group.avg("value"),
    }


def events_user_activity(group):
    return {
        "total_events": group.count,
        "unique_actions": group.distinct("action"),
        "total_value": group.sum("value"),
        "actions_sequence": group.all("action"),
    }


def action_metrics(group):
    return {
        "action_count": group.count,
        "unique_users": group.distinct("user_id"),
        "avg_value": group.avg("value"),
        "max_value": group.best("value", max),
        "min_value": group.best("value", min),
    }


def user_burst(group):
    row = {"event_count": group.count, "total_value": group.sum("value")}
    return row if group.count > 50 else None


def watermarked_counts(group):
    return {"count": group.count, "total_value": group.sum("value")}


def user_latest(group):
    return {"count": group.count, "latest_event_time": rfc3339(max(group.all("time")))}


def late_alert(group):
    earliest = rfc3339(min(group.all("time")))
    row = {"late_event_count": group.count, "earliest_late_event": earliest}
    return row if group.count > 5 else None


# Each query's key (None for no key) and the columns of a group; no columns
# where HAVING drops the row.
ROWS = {
    "response_time": ("service", response_time),
    "error_rate": ("service", error_rate),
    "ip_patterns": ("ip_address", ip_patterns),
    "sla": ("service", sla),
    "user_activity": ("user_id", user_activity),
    "service_popularity": ("service", service_popularity),
    "system_health": (None, system_health),
    "ddos": ("ip_address", ddos),
    "user_events": ("user_id", user_events),
    "events_user_activity": ("user_id", events_user_activity),
    "action_metrics": ("action", action_metrics),
    "user_burst": ("user_id", user_burst),
    "watermarked_counts": ("action", watermarked_counts),
    "user_latest": ("user_id", user_latest),
    "late_alert": ("user_id", late_alert),
}


def rows(name, records, taken):
    """The rows of a query, ordered by window and key.

    `taken` are pairs of a line number and the start of a window; without
    windows the start is None. Each row is (start, columns).
    """
    key, columns = ROWS[name]
    groups = {}
    for line, start in taken:
        record = records[line - 1]
        groups.setdefault((start, record.get(key)), []).append(record)

    def contract_order(group):
        start, value = group
        # Null comes first; strings by their bytes.
        return (start or 0, value is not None, (value or "").encode())

    for start, value in sorted(groups, key=contract_order):
        row = columns(Group(groups[start, value]))
        if row is not None:
            yield start, {**({key: value} if key else {}), **row}
