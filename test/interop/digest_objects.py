#!/usr/bin/env python3
"""Reads objects in files, each with its attributes beside it, and prints for each the SHA-256 of its records, or "refused".

usage: digest_objects.py OBJECT...     (the attributes are in OBJECT.attributes.json)
"""

import base64
import hashlib
import json
import sys

sys.dont_write_bytecode = True
from read_object import Archive, Files, ObjectError, fetch  # noqa: E402


def digest(path):
    with open(path + ".attributes.json", encoding="utf-8") as file:
        files = Files(json.load(file))
    total = hashlib.sha256()
    try:
        index = Archive(files).read_index(path)
        for part in index.ranges() if index else []:
            for record in fetch(files, part):
                about = json.dumps(
                    [record.topic, record.series, record.time], separators=(",", ":"), ensure_ascii=False
                )
                total.update(about.encode() + base64.b64encode(record.payload) + b"\n")
    except ObjectError:
        return "refused"
    return total.hexdigest()


for name in sys.argv[1:]:
    print(digest(name), flush=True)
