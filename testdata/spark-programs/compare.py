"""Runs programs of `window --explain spark` and compares their rows with those of `window`.

    compare.py WORK PROGRAM…

WORK holds, for each PROGRAM `NAME.py`, its input in a folder `NAME.input` and the rows of `window`
in `NAME.rows`. One Java machine serves all programs. Prints a line for each query; exits with 1 if
any differ.
"""

import json
import math
import os
import runpy
import sys
from collections import Counter

# Doubles may differ by so much of their size, or by so much where a sum cancels out.
TOLERANCE, ZERO = 1e-9, 1e-12


def main():
    work, programs = sys.argv[1], sys.argv[2:]
    different = 0
    for name in programs:
        base = os.path.join(work, name)
        sys.argv = [
            f"{base}.py", "--partitions", "1", "--output", f"{base}.spark", f"{base}.input"
        ]
        runpy.run_path(f"{base}.py", run_name="__main__")
        ours = {}
        with open(f"{base}.rows") as lines:
            for row in map(json.loads, lines):
                # What only the end of the input closes is not for Spark.
                if row.pop("closed_by") == "watermark" or "window" not in row:
                    ours.setdefault(row["query"], []).append(row)
        for query in sorted(os.listdir(f"{base}.spark")):
            rows = list(read(os.path.join(base + ".spark", query)))
            difference = compare(ours.pop(query, []), rows)
            different += difference is not None
            print(f"{name}: {query}: {difference or f'{len(rows)} rows, the same'}", flush=True)
        for query in sorted(ours):
            different += 1
            print(f"{name}: {query}: Spark did not run it")
    sys.exit(1 if different else 0)


def read(folder):
    for name in sorted(os.listdir(folder)):
        if name.startswith("part-"):
            with open(os.path.join(folder, name)) as lines:
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
    """The row's window and keys: all texts that are no lists."""
    texts = [value for value in row.values() if value is None or isinstance(value, str)]
    return json.dumps([row.get("window"), texts])


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
