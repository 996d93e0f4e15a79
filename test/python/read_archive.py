#!/usr/bin/env python3
"""Reads a bucket with examples/python/offset_index.py, so that tests see what a Python user gets.

usage: read_archive.py BUCKET [--partition P] < questions

A question is a line of JSON with from, to (ms), series, prefix (texts) and ranges; all may be missing. With ranges it plans
first, then fetches each range after it was pickled, as tasks on other machines do. Prints for each question one JSON
object a record, its payload in base64, and then one of the progress. Keys and endpoint as boto3 finds them.
"""

import argparse
import base64
import dataclasses
import json
import os
import pickle
import sys

sys.dont_write_bytecode = True  # examples/ is packed as it is
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "examples", "python"))
import boto3  # noqa: E402
from botocore.config import Config  # noqa: E402
from offset_index import MAX_TIME, Archive, ArchiveError, S3Bucket, fetch  # noqa: E402


def answer(archive, question):
    series, prefix = question.get("series"), question.get("prefix")
    times = question.get("from", 0), question.get("to", MAX_TIME)
    asked = (*times, None if series is None else [series], None if prefix is None else [prefix])
    if question.get("ranges"):
        planned = [pickle.loads(pickle.dumps(part)) for part in archive.ranges(*asked)]
        yield from (record for part in planned for record in fetch(archive.bucket, part))
    else:
        yield from archive.records(*asked)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bucket")
    parser.add_argument("--partition", default="day")
    options = parser.parse_args()
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2})
    archive = Archive(S3Bucket(boto3.client("s3", config=config), options.bucket), options.partition)
    for line in sys.stdin:
        try:
            for record in answer(archive, json.loads(line)):
                told = {
                    name: getattr(record, name) for name in ("object", "key", "series", "topic", "time", "flags")
                }
                print(json.dumps({**told, "payload": base64.b64encode(record.payload).decode()}))
        except ArchiveError as error:
            sys.exit("%s: %s" % (type(error).__name__, error))
        progress = dataclasses.asdict(dataclasses.replace(archive.progress, failed={}))
        failed = {key: "%s: %s" % (type(error).__name__, error) for key, error in archive.progress.failed.items()}
        print(json.dumps({**progress, "failed": failed}))


main()
