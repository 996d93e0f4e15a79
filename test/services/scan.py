#!/usr/bin/env python3
"""Reads buckets the way a stranger to the format would: boto3 downloads every object, DuckDB and pandas count its rows.

usage: scan.py FOLDER BUCKET...      (S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY and S3_SECRET_KEY as in the environment)

Objects are written to FOLDER. Prints JSON: {"objects": [{bucket, key, file, size, attributes, duckdb, pandas}],
"duckdb": version or null, "pandas": version or null}; a count is null without its tool.
"""
import gzip
import importlib
import json
import os
import sys

try:
    import boto3
except ImportError:
    sys.exit("boto3 is missing: pip install boto3, or set PYTHON to an interpreter that has it")
from botocore.config import Config


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


duckdb = optional("duckdb") if os.environ.get("SCAN_TOOLS") else None
pandas = optional("pandas") if os.environ.get("SCAN_TOOLS") else None


def rows_duckdb(path):
    return duckdb.sql("select count(*) from read_json_auto('%s')" % path).fetchall()[0][0]


def rows_pandas(path):
    with gzip.open(path, "rb") as lines:
        objects = all(line.startswith(b"{") for line in lines)
    # A frame is made of objects only; payloads that were no JSON are texts.
    return len(pandas.read_json(path, lines=True, compression="gzip", typ="frame" if objects else "series"))


def scan(client, folder, buckets):
    for bucket in buckets:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                key = entry["Key"]
                path = os.path.join(folder, bucket, key)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                client.download_file(bucket, key, path)
                head = client.head_object(Bucket=bucket, Key=key)
                yield {
                    "bucket": bucket,
                    "key": key,
                    "file": path,
                    "size": entry["Size"],
                    "contentType": head["ContentType"],
                    "contentEncoding": head.get("ContentEncoding"),
                    "attributes": head["Metadata"],
                    "duckdb": rows_duckdb(path) if duckdb else None,
                    "pandas": rows_pandas(path) if pandas else None,
                }


def main():
    folder, *buckets = sys.argv[1:]
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        region_name=os.environ["S3_REGION"],
        aws_access_key_id=os.environ["S3_ACCESS_KEY"],
        aws_secret_access_key=os.environ["S3_SECRET_KEY"],
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5}),
    )
    result = {
        "objects": list(scan(client, folder, buckets)),
        "duckdb": duckdb and duckdb.__version__,
        "pandas": pandas and pandas.__version__,
    }
    json.dump(result, sys.stdout)


main()
