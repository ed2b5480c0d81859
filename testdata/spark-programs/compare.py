"""Runs programs of `window --explain spark` and compares their rows with those of `window`.

    compare.py WORK PROGRAM…

WORK holds, for each PROGRAM `NAME.py`, its input in a folder `NAME.input`, with a file for each run,
and the rows of `window` in `NAME.rows`. The program `kafka` reads the topic of that name from
KAFKA_BOOTSTRAP instead, `update` prints rows more than once. One Java machine serves all programs.
Prints a line for each query; exits with 1 if any differ.
"""

import json
import math
import os
import re
import runpy
import shutil
import sys
from collections import Counter

# Doubles may differ by so much of their size, or by so much where a sum cancels out.
TOLERANCE, ZERO = 1e-9, 1e-12
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


def main():
    work, programs = sys.argv[1], sys.argv[2:]
    different = 0
    for name in programs:
        base = os.path.join(work, name)
        for source in sources(name, base):
            sys.argv = [f"{base}.py", "--partitions", "1", "--output", f"{base}.spark", *source]
            runpy.run_path(f"{base}.py", run_name="__main__")
        ours = window_rows(f"{base}.rows", name == "update")
        for query in sorted(os.listdir(f"{base}.spark")):
            rows = list(read(os.path.join(base + ".spark", query)))
            rows = last(rows) if name == "update" else rows
            difference = compare(ours.pop(query, []), rows)
            different += difference is not None
            print(f"{name}: {query}: {difference or f'{len(rows)} rows, the same'}", flush=True)
        for query in sorted(ours):
            different += 1
            print(f"{name}: {query}: Spark did not run it")
    sys.exit(1 if different else 0)


def sources(name, base):
    """What each run of a program reads."""
    if name == "kafka":
        return [["--kafka", os.environ["KAFKA_BOOTSTRAP"], "--topic", name, "--exit-at-end"]]
    folder = f"{base}.input"
    files = [os.path.join(folder, file) for file in sorted(os.listdir(folder))]
    # A folder that is filled: each run has one file more, so that it finds those before as it left
    # them.
    return growing(files, f"{base}.filled")


def growing(files, folder):
    os.mkdir(folder)
    for file in files:
        shutil.copy(file, folder)
        yield [folder]


def window_rows(path, is_update):
    """The rows of `window` that Spark has too, by query."""
    ours = {}
    with open(path) as lines:
        for row in map(json.loads, lines):
            closed_by = row.pop("closed_by", None)
            # In append mode, what only the end of the input closes is not for Spark.
            if is_update or closed_by == "watermark" or "window" not in row:
                ours.setdefault(row["query"], []).append(row)
    return {query: last(rows) if is_update else rows for query, rows in ours.items()}


def last(rows):
    """The last row of each window and group."""
    return list({place(row): row for row in rows}.values())


def read(folder):
    """The rows in a folder, in the order in which they were written."""
    parts = [entry for entry in os.scandir(folder) if entry.name.startswith("part-")]
    for part in sorted(parts, key=lambda entry: entry.stat().st_mtime_ns):
        with open(part.path) as lines:
            yield from map(json.loads, lines)


def compare(ours, spark):
    """How the rows differ, if they do; in which order they come is not compared."""
    if not ours:
        return "no rows to compare"
    if len(ours) != len(spark):
        return f"{len(ours)} rows here, {len(spark)} in Spark"
    for a, b in zip(sorted(ours, key=place), sorted(spark, key=place)):
        if list(a) != list(b) or not all(same(a[name], b[name]) for name in a):
            return f"rows differ\n  here:  {json.dumps(a)}\n  Spark: {json.dumps(b)}"
    return None


def place(row):
    """The row's window and keys: all texts that are no lists, and no times, which are no keys here."""
    keys = {name: value for name, value in row.items() if isinstance(value, str)}
    keys = {name: value for name, value in keys.items() if not TIME.fullmatch(value)}
    return json.dumps([row.get("window"), keys])


def same(a, b):
    if is_number(a) and is_number(b):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=ZERO)
    if isinstance(a, list) and isinstance(b, list):
        if all(map(is_number, a + b)):
            return len(a) == len(b) and all(map(same, a, b))
        # Spark promises no order within lists.
        return Counter(map(json.dumps, a)) == Counter(map(json.dumps, b))
    return a == b


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


main()
