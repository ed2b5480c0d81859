"""Runs the case files on Spark and writes or checks their golden rows.

A case is one TOML file; README.md says what is in it. All cases run in one
local session, each on a DataFrame that Spark reads from the case's own NDJSON
by the case's own schema, so that the text of the query is all that Spark and
`window` have in common.
"""

import argparse
import datetime
import decimal
import json
import math
import os
import pathlib
import re
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
QUERIES = HERE.parents[1] / "lib" / "queries"
TOLERANCE = 1e-9
GOLDEN = re.compile(r"^golden = '''\n(?:.*\n)*?'''\n", re.MULTILINE)
# What queries call their table.
TABLES = ("logs", "events", "late_events")


class Case:
    """One case file."""

    def __init__(self, path):
        self.path, self.name = path, path.stem
        self.text = path.read_text(encoding="utf-8")
        self.content = tomllib.loads(self.text)

    @property
    def query(self):
        builtin = self.content.get("builtin")
        if builtin is None:
            return self.content["query"]
        return (QUERIES / f"{builtin}.sql").read_text(encoding="utf-8")

    @property
    def input(self):
        if "input" in self.content:
            return self.content["input"]
        lines = (HERE / self.content["file"]).read_text(encoding="utf-8").splitlines(keepends=True)
        return "".join(lines[: self.content.get("lines")])

    @property
    def golden(self):
        return self.content.get("golden", "")

    def write(self, golden):
        """Replaces the golden rows, and only them, in the file's text."""
        block = f"golden = '''\n{golden}'''\n"
        if GOLDEN.search(self.text):
            text = GOLDEN.sub(lambda _: block, self.text, count=1)
        else:
            table = re.search(r"^\[", self.text, re.MULTILINE)
            at = table.start() if table else len(self.text)
            text = self.text[:at] + block + ("\n" if table else "") + self.text[at:]
        if text != self.text:
            self.path.write_text(text, encoding="utf-8")


def session():
    """One local session with the semantics that `window` has."""
    # Times come to Python in its own time zone.
    os.environ["TZ"] = "UTC"
    time.tzset()
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.ansi.enabled": "false",
        # Spark's default follows ANSI mode, and would be -1 without it.
        "spark.sql.legacy.sizeOfNull": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        # The inputs are small: compiling a query would take longer than running it.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.adaptive.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
    }
    builder = SparkSession.builder.master("local[1]").appName("conformance")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def golden_rows(spark, case, folder):
    """Spark's rows as NDJSON, in an order of their own."""
    from pyspark.sql import functions

    file = folder / f"{case.name}.json"
    file.write_text(case.input, encoding="utf-8")
    frame = spark.read.schema(case.content["schema"]).json(str(file))
    for column, expression in case.content.get("prepare", {}).items():
        frame = frame.withColumn(column, functions.expr(expression))
    for table in TABLES:
        frame.createOrReplaceTempView(table)
    sets = case.content.get("sets", [])
    result = spark.sql(case.query.strip().rstrip(";"))
    rows = [as_json(dict(zip(result.columns, row)), sets) for row in result.collect()]
    rows.sort(key=place)
    return "".join(compact(row) + "\n" for row in rows)


def as_json(row, sets):
    # A session is a window too, and is called so.
    row = {"window" if name == "session_window" else name: plain(value) for name, value in row.items()}
    for column in sets:
        if row[column] is not None:
            row[column].sort(key=compact)
    return row


def plain(value):
    """A value of Spark's as JSON has it, in the spelling of `window`."""
    if isinstance(value, datetime.datetime):
        unit = "microseconds" if value.microsecond % 1000 else "milliseconds"
        return value.isoformat(timespec=unit) + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value) if value.as_tuple().exponent < 0 else int(value)
    if isinstance(value, float) and not math.isfinite(value):
        # As Spark's to_json.
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [plain(member) for member in value]
    if hasattr(value, "asDict"):
        return {name: plain(member) for name, member in value.asDict().items()}
    return value


def place(row):
    """Rows are ordered by their window's end and start, then by their columns."""
    window = row.get("window")
    bounds = (window["end"], window["start"]) if isinstance(window, dict) else ()
    return bounds, [rank(value) for name, value in row.items() if name != "window"]


def rank(value):
    """Null, false, true, numbers, text, the rest."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, (int, float)):
        return (2, value)
    return (3, value) if isinstance(value, str) else (4, compact(value))


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def same(left, right):
    """Equal, but for the last digits of doubles; the order of keys counts."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=1e-12)
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def difference(golden, rows):
    """How committed rows and Spark's differ: the lines that the other has not."""
    committed, fresh = (
        [(line, json.loads(line)) for line in text.splitlines()] for text in (golden, rows)
    )
    if len(committed) == len(fresh) and all(
        same(left, right) for (_, left), (_, right) in zip(committed, fresh)
    ):
        return None
    removed = [line for line, row in committed if not any(same(row, other) for _, other in fresh)]
    added = [line for line, row in fresh if not any(same(row, other) for _, other in committed)]
    lines = [f"  - {line}" for line in removed] + [f"  + {line}" for line in added]
    return "\n".join(lines) or f"  {len(committed)} rows committed, {len(fresh)} from Spark"


def cases(names):
    there = {path.stem: path for path in sorted(HERE.glob("*.toml"))}
    unknown = [name for name in names if name not in there]
    if unknown:
        sys.exit(f"no such case: {' '.join(unknown)}")
    return [Case(there[name]) for name in names or there]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--write", action="store_true", help="write the golden rows")
    arguments.add_argument("cases", nargs="*", metavar="CASE", help="only these")
    arguments = arguments.parse_args()

    chosen, begun, problems = cases(arguments.cases), time.monotonic(), []
    spark = session()
    with tempfile.TemporaryDirectory() as folder:
        for case in chosen:
            try:
                rows = golden_rows(spark, case, pathlib.Path(folder))
            except Exception as error:  # Whatever Spark throws, it refused the case.
                problems.append(f"{case.name}: Spark refuses it\n  {str(error).splitlines()[0]}")
                continue
            if arguments.write:
                case.write(rows)
            elif found := difference(case.golden, rows):
                problems.append(f"{case.name}: committed (-) and Spark's rows (+) differ\n{found}")
    version = spark.version
    spark.stop()
    seconds = time.monotonic() - begun
    if problems:
        hint = "" if arguments.write else "\nif that is meant, run scripts/spark-conformance --write"
        sys.exit("\n".join(problems) + hint)
    state = "written" if arguments.write else "as committed"
    print(f"{len(chosen)} cases on Spark {version}: {state} ({seconds:.0f} s)")


if __name__ == "__main__":
    main()
