"""Makes or checks the inputs and the golden results of the built-in queries.

The results are DuckDB's, from the hand-written queries in `sql/`. A batch
engine has no watermark, so `event_time.py` says which windows refuse which
late records, and DuckDB aggregates the rest. Before anything is written or
compared, a plain Python account of the same queries must agree.
"""

import argparse
import json
import math
import pathlib
import sys

import event_time
import generate
import oracle
from engine import Engine
from event_time import LATE_ALERT_SOURCE, LOG_ANALYSIS, QUERIES

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = 1e-9


class Input:
    """One input file, as the plain Python side sees it."""

    def __init__(self, name, lines):
        self.name, self.text = name, "\n".join(lines) + "\n"
        self.stream, self.order = name.split(".")
        self.records = [json.loads(line) for line in lines]
        for record in self.records:
            record["time"] = event_time.micros(record["timestamp"])
        times = [record["time"] for record in self.records]
        self.fates = {
            query: event_time.Fates(plan, times)
            for query, plan in QUERIES.items()
            if plan.stream == self.stream
        }


def plain_rows(source, query, taken):
    """The rows by plain Python."""
    for start, columns in oracle.rows(query, source.records, taken):
        row = {"query": query}
        if start is not None:
            ends = (start, start + QUERIES[query].size)
            row["window"] = dict(zip(("start", "end"), map(event_time.rfc3339, ends)))
        yield {**row, **columns}


def same(left, right):
    """Equal, but for the last digits of doubles; the order of keys counts."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=1e-12)
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def first_difference(left, right):
    """The first line in which two texts of JSON lines differ, or None."""
    left, right = left.splitlines(), right.splitlines()
    for number, (one, other) in enumerate(zip(left, right), 1):
        if one != other and not same(json.loads(one), json.loads(other)):
            return f"line {number}:\n  {one}\n  {other}"
    if len(left) != len(right):
        return f"{len(left)} lines and {len(right)}"
    return None


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def ndjson(rows):
    return "".join(compact(row) + "\n" for row in rows)


def results(source):
    """The golden files of one input, by name."""
    engine = Engine(source.stream, source.text)

    def golden(name, fates, *accounts):
        query = name.split(".")[0]
        rows = ndjson({"query": query, **row} for row in engine.rows(name, fates))
        plain = ndjson(row for taken in accounts for row in plain_rows(source, query, taken))
        difference = first_difference(rows, plain)
        if difference:
            sys.exit(f"{name} of {source.name}: DuckDB and plain Python differ in {difference}")
        return f"golden/{name}.{source.name}.ndjson", rows

    for query, fates in source.fates.items():
        yield golden(query, fates, fates.taken)
    if source.order == "late" and LATE_ALERT_SOURCE in source.fates:
        fates = source.fates[LATE_ALERT_SOURCE]
        late = [(line, None) for line in fates.late]
        yield golden("late_alert", fates, late)
        # Update mode with a trigger after each record: the row of the user
        # whose count has just grown.
        user = [source.records[line - 1].get("user_id") for line, _ in late]
        grown = (
            [pair for pair, owner in zip(late[: end + 1], user) if owner == user[end]]
            for end in range(len(late))
        )
        yield golden("late_alert.update", fates, *grown)


def one_pass(source, goldens):
    """How the rows of `LOG_ANALYSIS` interleave when one pass computes them.

    Rows come when their window closes; those that one record closes are
    ordered by end, start and the query's place. Written as runs of rows of
    the same query: a line is a count and a name.
    """
    order = []
    for place, query in enumerate(LOG_ANALYSIS):
        closes = source.fates[query].closes
        due = {event_time.rfc3339(start): line for start, line in closes.items()}
        for row in map(json.loads, goldens[f"golden/{query}.{source.name}.ndjson"].splitlines()):
            start, end = row["window"]["start"], row["window"]["end"]
            order.append((due.get(start, math.inf), end, start, place))
    runs = []
    for *_, place in sorted(order):
        if runs and runs[-1][1] == LOG_ANALYSIS[place]:
            runs[-1][0] += 1
        else:
            runs.append([1, LOG_ANALYSIS[place]])
    return "".join(f"{count} {query}\n" for count, query in runs)


def late_json(sources):
    """For each late file and query: refused windows, and late lines with
    the seconds that the watermark was ahead of them."""
    files = []
    for source in sources:
        queries = []
        for query, fates in source.fates.items():
            lines = {line: behind / 1e6 for line, behind in fates.late.items()}
            account = {"late_placements": len(fates.refused), "late": lines}
            queries.append(f"{compact(query)}:{compact(account)}")
        files.append(f"{compact(source.name)}:{{\n" + ",\n".join(queries) + "\n}")
    return "{\n" + ",\n".join(files) + "\n}\n"


def require(condition, what):
    if not condition:
        sys.exit(f"the inputs no longer cover this: {what}")


def require_coverage(sources, files):
    """The inputs must show what they were made for."""
    for source in sources:
        for query, fates in source.fates.items():
            rows = files[f"golden/{query}.{source.name}.ndjson"]
            require(rows, f"{query} has rows of {source.name}")
            if source.order != "late":
                require(not fates.refused, f"nothing is late in {source.name}")
                continue
            partly = {line for line, _ in fates.refused} - set(fates.late)
            sliding = QUERIES[query].slide < QUERIES[query].size
            require(fates.late, f"records of {source.name} are late for {query}")
            require(bool(partly) == sliding, f"{query} refuses some in part if it slides")
    for name, expected in (("ddos.logs", '"198.51.100.66"'), ("user_burst.events", '"user_051"')):
        rows = files[f"golden/{name}.ordered.ndjson"]
        require(expected in rows, f"{name} has a row of {expected}")
        require("198.51.100.67" not in rows and "198.51.100.68" not in rows, "the edges of ddos")
        require("user_050" not in rows, "the edge of user_burst")
    health = files["golden/system_health.logs.ordered.ndjson"]
    for score in (100, 80, 60, 40):
        require(f'"health_score":{score}' in health, f"a health score of {score}")
    for name, column in (("response_time.logs", "stddev_response_time"),
                         ("user_activity.logs", "user_id"), ("ip_patterns.logs", "ip_address"),
                         ("user_events.events", "total_value")):
        rows = files[f"golden/{name}.ordered.ndjson"]
        require(f'"{column}":null' in rows, f"a null {column} of {name}")
    alerts = files["golden/late_alert.events.late.ndjson"]
    require(alerts and '"user_006"' not in alerts, "late_alert keeps some users and drops some")


def build():
    """All files by their path below this folder."""
    sources = [Input(name, lines) for name, lines in generate.inputs()]
    files = {f"{source.name}.ndjson": source.text for source in sources}
    for source in sources:
        files.update(results(source))
        if source.stream == "logs":
            files[f"golden/log-analysis.{source.name}.order"] = one_pass(source, files)
    files["golden/late.json"] = late_json(s for s in sources if s.order == "late")
    require_coverage(sources, files)
    return files


def stale(files):
    """What the folder holds otherwise than it should."""
    there = {str(path.relative_to(HERE)) for path in HERE.glob("golden/*")}
    for path in sorted(there - set(files)):
        yield f"{path}: no such golden any more"
    for path, text in files.items():
        if not (HERE / path).exists():
            yield f"{path}: missing"
            continue
        committed = (HERE / path).read_text(encoding="utf-8")
        if path.startswith("golden/") and path.endswith(".ndjson"):
            difference = first_difference(committed, text)
            if difference:
                yield f"{path}: committed and recomputed differ in {difference}"
        elif committed != text:
            yield f"{path}: differs from what its generator makes"


def write(files):
    (HERE / "golden").mkdir(exist_ok=True)
    for path in HERE.glob("golden/*"):
        path.unlink()
    for path, text in files.items():
        (HERE / path).write_text(text, encoding="utf-8")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = arguments.parse_args().check
    files = build()
    if check:
        problems = list(stale(files))
        if problems:
            sys.exit("\n".join(problems) + "\nif that is meant, run scripts/conformance")
    else:
        write(files)
    size = sum(len(text.encode()) for text in files.values())
    print(f"{len(files)} files, {size:,} bytes: {'as committed' if check else 'written'}")


if __name__ == "__main__":
    main()
