"""DuckDB with the records of one input, and the queries in `sql/`."""

import pathlib
import tempfile

import duckdb

SQL = pathlib.Path(__file__).resolve().parent / "sql"


def rfc3339(time):
    """A timestamp of DuckDB, which has no zone and means UTC, as rows print it."""
    return time.isoformat(timespec="auto" if time.microsecond % 1000 else "milliseconds") + "Z"


class Engine:
    """One input's records, ready to be queried."""

    def __init__(self, stream, text):
        """`stream` is `logs` or `events`; `text` its lines in order of arrival."""
        self.db = duckdb.connect()
        # One thread reads and numbers the lines in order.
        self.db.execute("SET threads = 1")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "input.ndjson"
            path.write_text(text, encoding="utf-8")
            self.db.execute("SET VARIABLE input = ?", [str(path)])
            self._run(f"schema/{stream}")
            self._run("schema/windows")

    def _run(self, name):
        return self.db.execute((SQL / f"{name}.sql").read_text(encoding="utf-8"))

    def _fill(self, table, rows):
        self.db.execute(f"DELETE FROM {table}")
        if rows:
            marks = {"refused": "?, make_timestamp(?)", "late_lines": "?"}[table]
            self.db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def rows(self, name, fates):
        """The rows of `sql/NAME.sql` over what the watermark let through."""
        self._fill("refused", [list(pair) for pair in fates.refused])
        self._fill("late_lines", [[line] for line in fates.late])
        cursor = self._run(name)
        names = [column[0] for column in cursor.description]
        for values in cursor.fetchall():
            yield shape(dict(zip(names, values)))


def shape(row):
    """A row as `window` prints it, but for the query's name."""
    row = {
        name: rfc3339(value) if hasattr(value, "isoformat") else value
        for name, value in row.items()
    }
    if "window_start" in row:
        return {"window": {"start": row.pop("window_start"), "end": row.pop("window_end")}, **row}
    return row
