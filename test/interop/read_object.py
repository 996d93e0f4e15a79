#!/usr/bin/env python3
"""Reads one object in a file with examples/python/offset_index.py, so that tests see what a Python user gets.

usage: read_object.py OBJECT [--attributes FILE] [--series S]... [--prefix S]... [--from MS] [--to MS]

Only the byte ranges that a reader over HTTP would ask for are read from the file OBJECT; the sidecar lies beside it.
--attributes: a JSON object, names without x-amz-meta-. Prints one JSON object a record, its payload in base64; on the
error output one JSON object: the byte ranges of the object that were read. An object that is refused ends it with
"refused: " and the reason.
"""

import argparse
import base64
import json
import os
import sys

sys.dont_write_bytecode = True  # examples/ is packed as it is
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "examples", "python"))
from offset_index import MAX_TIME, Archive, Head, ObjectChanged, ObjectError, Wanted, fetch  # noqa: E402


class Files:
    """Files in the place of a bucket; their paths are the keys."""

    def __init__(self, attributes):
        self.attributes = attributes
        self.ranges = []

    def head(self, key):
        return Head(os.path.getsize(key), '"etag"', self.attributes)

    def get_range(self, key, offset, length, etag):
        if not os.path.exists(key):
            raise ObjectChanged("there is no such file")
        if etag:
            self.ranges.append([offset, length])
        with open(key, "rb") as file:
            file.seek(offset)
            return file.read(length), os.path.getsize(key)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("object")
    parser.add_argument("--attributes")
    parser.add_argument("--series", action="append")
    parser.add_argument("--prefix", action="append")
    parser.add_argument("--from", dest="start", type=int, default=0)
    parser.add_argument("--to", dest="end", type=int, default=MAX_TIME)
    options = parser.parse_args()
    attributes = {}
    if options.attributes:
        with open(options.attributes, encoding="utf-8") as file:
            attributes = json.load(file)
    files = Files(attributes)
    wanted = Wanted(options.start, options.end, options.series, options.prefix)
    try:
        index = Archive(files).read_index(options.object, wanted)
        for part in index.ranges(wanted) if index else []:
            for record in fetch(files, part):
                told = {name: getattr(record, name) for name in ("key", "series", "topic", "time", "flags")}
                print(json.dumps({**told, "payload": base64.b64encode(record.payload).decode()}))
    except ObjectError as error:
        sys.exit("refused: %s: %s" % (type(error).__name__, error))
    print(json.dumps({"requests": files.ranges}), file=sys.stderr)


if __name__ == "__main__":
    main()
