#!/usr/bin/env python3
"""@TITLE@

Made by `window --explain spark`; runs on Spark 4.

    python PROGRAM --output rows PATH…
    spark-submit --packages org.apache.spark:spark-sql-kafka-0-10_2.13:VERSION PROGRAM \\
        --output rows --kafka HOST:PORT --topic TOPIC

Kafka needs the package named here, in the VERSION of Spark; where none can be fetched at the start,
--jars takes its jar and those of spark-token-provider-kafka-0-10_2.13, kafka-clients and
commons-pool2.

Rows are NDJSON, below --output in one folder for each query. A run over files ends when they are
read, one from Kafka goes on, unless it is to --exit-at-end; with --follow, so does one over files.
A second run goes on where the first one ended.
@NOTES@"""

import argparse
import functools
import os
import re
import time

from pyspark.sql import DataFrame, SparkSession, functions as F
from pyspark.sql.types import StringType, StructField, StructType

INPUT = @INPUT@
TRIGGER = @TRIGGER@


def records(lines):
    """The fields that the queries read, from lines of JSON in the column `value`.

    All are read as text, since logs have numbers as strings too, and Spark would take those for
    null in a column of numbers. Their types are those that the queries use them as; a field of
    which only `min` or `max` is taken is a number.
    """
    schema = StructType([
        StructField(name, StringType())
        for name in [@SCHEMA@, "_corrupt_record"]
    ])
    parsed = lines.select("value", F.from_json("value", schema).alias("record"))
    return parsed.where("record._corrupt_record IS NULL AND trim(value) <> ''").select(
@FIELDS@
    )


def path(name):
    """A field within others, unless there is a field of the whole name."""
    steps = "".join(f"['{step}']" for step in name.split("."))
    return F.coalesce(F.col(f"record.`{name}`"), F.get_json_object("value", "$" + steps))


def event_time(text):
    """A time that is text, or an epoch in seconds, milliseconds, microseconds or nanoseconds."""
    number = text.cast("decimal(38, 9)")
    scale = (
        F.when(F.abs(number) < F.lit(10**11), F.lit("1000000"))
        .when(F.abs(number) < F.lit(10**14), F.lit("1000"))
        .when(F.abs(number) < F.lit(10**17), F.lit("1"))
        .otherwise(F.lit("0.001"))
    )
    micros = F.floor(number * scale.cast("decimal(12, 3)")).cast("bigint")
    is_number = text.rlike(r"^\s*-?[0-9]+([.][0-9]+)?\s*$")
    return F.when(is_number, F.timestamp_micros(micros)).otherwise(text.cast("timestamp"))


def rfc3339(time):
    """A time as text: in UTC, with milliseconds, or microseconds where there are any."""
    text = F.date_format(time, "yyyy-MM-dd'T'HH:mm:ss.SSSSSS")
    return F.concat(F.regexp_replace(text, "0{1,3}$", ""), F.lit("Z"))


def span(window):
    """A window as rows have it."""
    return F.struct(
        rfc3339(window["start"]).alias("start"), rfc3339(window["end"]).alias("end")
    )


@QUERIES@
# Each query's name, rows and output mode.
QUERIES = [
@LIST@
]


def session(args):
    builder = (
        SparkSession.builder.appName(@APP@)
        # Times without a zone, and those that are printed, are in UTC.
        .config("spark.sql.session.timeZone", "UTC")
        # A division by zero and a cast that fails give null, not an error.
        .config("spark.sql.ansi.enabled", "false")
        # size(NULL) is null, not -1.
        .config("spark.sql.legacy.sizeOfNull", "false")
        # When all files are read, a last batch without data prints the windows that the batch
        # before has closed: in Spark the watermark moves between batches.
        .config("spark.sql.streaming.noDataMicroBatches.enabled", "true")
        # `Level` and `level` are two fields.
        .config("spark.sql.caseSensitive", "true")
        # Each partition has a state of its own; more than there are cores only cost.
        .config("spark.sql.shuffle.partitions", str(args.partitions))
    )
    return builder.getOrCreate()


def source(spark, args):
    """Lines, in the column `value`."""
    if args.kafka:
        stream = (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", args.kafka)
            .option("subscribe", args.topic)
            .option("startingOffsets", "earliest")
            .load()
        )
        return stream.selectExpr("CAST(value AS string) AS value")
    streams = [files(spark, os.path.abspath(path)) for path in args.paths or INPUT]
    return functools.reduce(DataFrame.union, streams)


def files(spark, path):
    """A directory, a pattern, or a file, which Spark takes only as a pattern in its directory."""
    if not os.path.isfile(path):
        return spark.readStream.text(path)
    folder, name = os.path.split(path)
    pattern = re.sub(r"([\\*?{}\[\]])", r"\\\1", name)
    return spark.readStream.option("pathGlobFilter", pattern).text(folder)


def start(name, rows, mode, args):
    """Starts a query."""
    # Null fields are printed, as null.
    options = {"ignoreNullFields": "false", "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}
    folder = os.path.join(os.path.abspath(args.output), name)
    checkpoint = os.path.abspath(args.checkpoint or args.output + ".checkpoint")
    writer = (
        rows.select(F.to_json(F.struct("*"), options).alias("value"))
        .writeStream.queryName(name)
        .outputMode(mode)
        .option("checkpointLocation", os.path.join(checkpoint, name))
    )
    if args.follow or (args.kafka and not args.exit_at_end):
        writer = writer.trigger(processingTime=TRIGGER)
    else:
        writer = writer.trigger(availableNow=True)
    if mode == "append":
        return writer.format("text").option("path", folder).start()
    # The sink of files takes rows that never change. In complete mode each batch has all rows.
    save = "overwrite" if mode == "complete" else "append"
    return writer.foreachBatch(lambda batch, _: batch.write.mode(save).text(folder)).start()


def wait(running):
    """Waits for all queries to end, or for one to fail."""
    while True:
        is_running = any(query.isActive for query in running)
        for query in running:
            if query.exception():
                raise query.exception()
        if not is_running:
            return
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=@TITLE_TEXT@)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files, directories or patterns")
    parser.add_argument("--kafka", metavar="HOST:PORT", default=os.environ.get("KAFKA_BOOTSTRAP"))
    parser.add_argument("--topic", default="logs", help="a topic of Kafka (default: logs)")
    parser.add_argument("--exit-at-end", action="store_true", help="end when Kafka's are read")
    parser.add_argument("--follow", action="store_true", help="wait for new files")
    parser.add_argument("--output", required=True, metavar="DIR")
    parser.add_argument("--checkpoint", metavar="DIR", help="default: OUTPUT.checkpoint")
    parser.add_argument("--partitions", type=int, default=os.cpu_count(), metavar="N")
    args = parser.parse_args()
    if args.paths:
        args.kafka = None
    if not (args.kafka or args.paths or INPUT):
        parser.error("no input: give PATH or --kafka")
    spark = session(args)
    spark.sparkContext.setLogLevel("ERROR")
    table = records(source(spark, args))
    running = [start(name, rows(table), mode, args) for name, rows, mode in QUERIES]
    wait(running)
    spark.stop()


if __name__ == "__main__":
    main()
