"""Makes the inputs: the same records in three orders of arrival.

`ordered` arrives by event time. `disordered` is shuffled by less than the
smallest watermark delay of any query, so nothing is late. In `late` some
records come later than the delays, by amounts around each of them, so that a
sliding query refuses a record in some of its windows and takes it in others.

Only `Random.random()` is used: Python promises the same numbers from the same
seed for it alone, in every version.
"""

import json
import math
import random
from datetime import datetime, timedelta, timezone

MINUTE = 60_000
ORDERS = ("ordered", "disordered", "late")

# 15 minutes before midnight, so that windows cross a date. Times are
# milliseconds since this start until they are printed.
START = datetime(2025, 9, 11, 23, 45, tzinfo=timezone.utc)
START_MILLIS = int(START.timestamp()) * 1000
assert START_MILLIS % (10 * MINUTE) == 5 * MINUTE

# Traffic stops for some minutes: windows without records have no rows.
TRAFFIC = [(0, 21 * MINUTE), (27 * MINUTE, 34 * MINUTE)]

# Disorder below the five minutes of the smallest delay.
JITTER = 290_000
# A late record comes this much later still.
LATEST = 22 * MINUTE
LATE_SHARE = 0.07


class Dice:
    """A seeded source of choices."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, end):
        return math.floor(self.random() * end)

    def chance(self, probability):
        return self.random() < probability

    def choose(self, weighted):
        """One of the values of a list of (value, weight)."""
        at = self.random() * sum(weight for _, weight in weighted)
        for value, weight in weighted:
            at -= weight
            if at < 0:
                return value
        return weighted[-1][0]


def edges():
    """Times on, just before and just after edges of windows of all sizes."""
    for edge in range(MINUTE, 21 * MINUTE, 3 * MINUTE):
        yield from (edge - 1, edge, edge + 1)
    yield from (20 * MINUTE, 20 * MINUTE, 30 * MINUTE, 30 * MINUTE - 1)


def scene():
    """The watermark on the edges of windows, after all of `TRAFFIC`.

    In `late` this is the order of arrival. The first record brings the
    watermarks to a millisecond before the end of the windows that hold the
    next two, which are taken, and the fourth to the very end, so that the
    last two are refused: by delays of five and ten minutes, and in windows of
    every size and slide.
    """
    now, last = 40 * MINUTE, [35 * MINUTE - 1, 30 * MINUTE - 1]
    yield from (now - 1, *last, now, *last)


def times(dice, count):
    """`count` times of ordinary traffic."""
    length = sum(end - begin for begin, end in TRAFFIC)
    for _ in range(count):
        at = dice.below(length)
        for begin, end in TRAFFIC:
            if at < end - begin:
                yield begin + at
                break
            at -= end - begin


def rfc3339(millis, digits):
    """The time with 0, 3 or 6 digits of a second; 0 cuts to the second."""
    text = (START + timedelta(milliseconds=millis)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{millis % 1000:03d}" + ("999" if digits == 6 else "")
    return text + (fraction if digits else "") + "Z"


def line(record):
    """One line of JSON without the fields that are `MISSING`."""
    members = {key: value for key, value in record.items() if value is not MISSING}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


MISSING = object()

SERVICES = [("auth", 5), ("billing", 4), ("search", 3), ("web", 6), ("cron", 1), (None, 0.3)]
ADDRESSES = [(f"192.0.2.{host}", 3) for host in range(1, 9)]
ADDRESSES += [("2001:db8::7", 3), ("198.51.100.20", 1), (None, 0.5), (MISSING, 0.3)]
LOG_USERS = [(f"user_{number:03d}", 3) for number in range(1, 9)]
LOG_USERS += [("zoë", 1), ('o"neil', 1), (None, 1.5), (MISSING, 1)]


def status(dice, millis):
    """A status code; errors grow more frequent through the four bands of
    the health score."""
    if dice.chance(0.05):
        return dice.choose([(None, 3), (MISSING, 2), ("404", 3), ("200", 2), ("unknown", 1)])
    bands = [(4, 0.0), (9, 0.03), (15, 0.07)]
    errors = next((share for until, share in bands if millis < until * MINUTE), 0.2)
    if dice.chance(errors):
        return dice.choose([(400, 2), (404, 3), (500, 3), (503, 2)])
    return dice.choose([(200, 12), (201, 1), (302, 1), (399, 0.3)])


def response_time(dice, service):
    """Seconds, some on the edge of `sla`; `cron` has none."""
    if service == "cron":
        return dice.choose([(None, 1), (MISSING, 1)])
    if dice.chance(0.04):
        return dice.choose([(None, 2), (MISSING, 1), (1.0, 2), (0.0, 1), (1e-05, 1), (1.001, 1)])
    return round(0.02 - 0.4 * math.log(1.0 - dice.random()), 3)


def log(dice, millis, **fixed):
    service = dice.choose(SERVICES)
    code = status(dice, millis)
    record = {
        "timestamp": rfc3339(millis, 0 if millis % 1000 == 0 else dice.choose([(3, 9), (6, 1)])),
        "level": "ERROR" if code in (500, 503) else "INFO",
        "service": service,
        "message": dice.choose([("done", 3), ("took {it}, \\ gave it", 1), (MISSING, 4)]),
        "ip_address": dice.choose(ADDRESSES),
        "user_id": dice.choose(LOG_USERS),
        "response_time": response_time(dice, service),
        "status_code": code,
        "error_code": f"E{code}" if code in (500, 503) else MISSING,
    }
    text = line({**record, **fixed})
    # The same value in another spelling is the same key.
    return (millis, text.replace('"auth"', '"\\u0061uth"') if dice.chance(0.1) else text)


def flood(dice, minute, address, requests, users):
    """Exactly `requests` in one minute by exactly `users` users."""
    for index in range(requests):
        millis = minute * MINUTE + index * (MINUTE // requests)
        user = f"user_{index % users + 1:03d}"
        yield log(dice, millis, ip_address=address, user_id=user, message=MISSING)


def logs(dice):
    yield from (log(dice, millis) for millis in times(dice, 1_200))
    yield from (log(dice, millis) for millis in edges())
    # ddos is more than 100 requests a minute by fewer than 5 users: one just
    # inside both bounds, and one just outside each.
    yield from flood(dice, 6, "198.51.100.66", 101, 4)
    yield from flood(dice, 12, "198.51.100.67", 100, 1)
    yield from flood(dice, 29, "198.51.100.68", 101, 5)
    yield from flood(dice, 30, "198.51.100.66", 120, 2)


ACTIONS = [("login", 2), ("logout", 1), ("purchase", 2), ("view", 5), ("click", 6)]
ACTIONS += [("größe", 0.3), (None, 0.3), (MISSING, 0.3)]
EVENT_USERS = [("user_001", 5), ("user_002", 4), ("user_003", 3), ("user_004", 3), ("user_005", 2)]
EVENT_USERS += [("user_006", 0.2), (None, 0.3), (MISSING, 0.3)]


def event(dice, millis, **fixed):
    user = dice.choose(EVENT_USERS)
    value = round(1.0 + 99.0 * dice.random(), 2)
    record = {
        "timestamp": START_MILLIS + millis,
        "user_id": user,
        "action": dice.choose(ACTIONS),
        "value": dice.choose([(value, 30), (-value, 1), (None, 1), (MISSING, 1)]),
        "session_id": dice.choose([(f"session_{dice.below(40)}", 1), (MISSING, 1)]),
    }
    # A user none of whose values is there: sums are null, not zero.
    if user == "user_006":
        record["value"] = None
    return (millis, line({**record, **fixed}))


def burst(dice, begin, user, count):
    """`count` events within a minute, so in whole windows of five."""
    for index in range(count):
        yield event(dice, begin + index * 1_000, user_id=user)


def events(dice):
    yield from (event(dice, millis) for millis in times(dice, 1_450))
    yield from (event(dice, millis) for millis in edges())
    # user_burst is more than 50 events in five minutes.
    yield from burst(dice, 5 * MINUTE, "user_050", 50)
    yield from burst(dice, 15 * MINUTE, "user_051", 51)


def arrivals(dice, records, scene, order):
    """The lines in the order of arrival."""

    def delay():
        if order == "ordered":
            return 0
        jitter = dice.below(JITTER)
        # Both are drawn for each record, so that the two shuffled files
        # differ by their late records alone.
        is_late, extra = dice.chance(LATE_SHARE), dice.below(LATEST)
        return jitter + (extra if is_late and order == "late" else 0)

    def by_arrival(records):
        # The key leaves the text out: equal times keep the order of making.
        return sorted(((time + delay(), text) for time, text in records), key=lambda it: it[0])

    late = order == "late"
    arrived = by_arrival(records) + scene if late else by_arrival(records + scene)
    return [text for _, text in arrived]


def inputs():
    """The files by name: `logs.ordered` and so on, each a list of lines."""
    for stream, all_records, one, seed in (("logs", logs, log, 11), ("events", events, event, 12)):
        dice = Dice(seed)
        records = sorted(all_records(dice), key=lambda it: it[0])
        last = [one(dice, millis) for millis in scene()]
        for order in ORDERS:
            yield f"{stream}.{order}", arrivals(Dice(seed + 100), records, last, order)
