#!/usr/bin/env python3
"""Reads records by device and time out of one object. Written from docs/object-format.md alone, standard library only.

usage: reader.py OBJECT [--attributes FILE] [--series S]... [--from MS] [--to MS]

OBJECT is a file that holds the object; only the byte ranges that a reader over HTTP would ask for are read from it.
With --attributes (a JSON object, names without x-amz-meta-) the reader begins as after a HEAD, else at the object's end.
Prints one JSON object a record, its payload in base64; on the error output one JSON object: the byte ranges it read.
"""
import argparse
import base64
import json
import os
import re
import sys
import zlib
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote
from zoneinfo import ZoneInfo

VERSION = 1
TRAILER = 86
SUFFIX = 65536
READ_WHOLE = 256 << 10
MAX_JSON = 64 << 20
MAX_BLOCK = 256 << 20
MAX_RATIO = 1032
MAX_TIME = 253402300799999
GAP = 1 << 20
TEXT, BASE64, FOLDED = 1, 2, 4


class Refused(Exception):
    """The object is damaged, of a later version, or not of this format."""


def check(condition, what):
    if not condition:
        raise Refused(what)


class LocalObject:
    """Stands for a store: a size, attributes, and ranged reads that are kept for the report."""

    def __init__(self, path, attributes):
        self.path = path
        self.attributes = attributes
        self.size = os.path.getsize(path)
        self.requests = []

    def range(self, offset, length):
        check(0 <= offset and offset + length <= self.size, "a range outside of the object")
        self.requests.append([offset, length])
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    def sidecar(self):
        with open(self.path + ".index.gz", "rb") as file:
            return file.read()


# --- bytes ---------------------------------------------------------------------------------------------------------


def crc_table():
    table = []
    for number in range(256):
        for _ in range(8):
            number = (number >> 1) ^ 0x82F63B78 if number & 1 else number >> 1
        table.append(number)
    return table


CRC_TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def inflate(data, size):
    """Decompresses one gzip member to exactly `size` bytes, and never takes more."""
    member = zlib.decompressobj(31)
    try:
        plain = member.decompress(data, size + 1)
    except zlib.error as error:
        raise Refused("damaged gzip: %s" % error)
    check(member.eof and len(plain) == size, "a gzip member has another size than was said")
    return plain


def number(data, at, length):
    return int.from_bytes(data[at : at + length], "little")


def empty_member(data, at, identity):
    """The data of an index member or trailer, and where it ends; None when there is none at `at`."""
    if at < 0 or at + 26 > len(data) or data[at : at + 4] != b"\x1f\x8b\x08\x04":
        return None
    length = number(data, at + 14, 2)
    end = at + 26 + length
    if data[at + 12 : at + 14] != identity or number(data, at + 10, 2) != length + 4 or end > len(data):
        return None
    if data[end - 10 : end] != b"\x03\x00" + bytes(8):
        return None
    return data[at + 16 : end - 10], end


# --- the index -----------------------------------------------------------------------------------------------------


def parse_trailer(tail, object_size):
    member = empty_member(tail, len(tail) - TRAILER, b"OT")
    if member is None or len(member[0]) != 60 or member[0][:8] != b"S3BATCH\n":
        return None
    data = member[0]
    check(crc32c(data[:56]) == number(data, 56, 4), "the trailer is damaged")
    check(number(data, 8, 4) <= VERSION, "a later version")
    names = ("offset", "length", "directoryLength", "directorySize", "count")
    trailer = {name: number(data, 12 + 8 * place, 8) for place, name in enumerate(names)}
    trailer["crc"] = number(data, 52, 4)
    check_location(trailer, object_size)
    return trailer


def check_location(location, object_size):
    end = location["offset"] + location["length"] + TRAILER
    check(end == object_size and location["directoryLength"] <= location["length"], "the index lies in a wrong place")


def index_members(members, crc=None):
    """The compressed bytes that index members carry."""
    compressed = b""
    at = 0
    while at < len(members):
        member = empty_member(members, at, b"OI")
        check(member is not None, "the index is damaged")
        compressed += member[0]
        at = member[1]
    check(crc is None or crc32c(compressed) == crc, "the index is damaged")
    return compressed


def inflate_text(compressed, size):
    check(size <= MAX_JSON and size <= len(compressed) * MAX_RATIO, "the index is too large")
    return inflate(compressed, size)


def parse_json(text):
    depth = containers = 0
    for sign in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', text):
        if sign in b"[{":
            depth += 1
            containers += 1
            check(depth <= 8 and containers <= 1000 + len(text) / 8, "nested too deeply")
        elif sign in b"]}":
            depth -= 1
    try:
        data = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise Refused("the index is no JSON: %s" % error)
    check(isinstance(data, dict) and is_whole(data.get("version")), "no index")
    check(data["version"] <= VERSION, "a later version")
    check(data["version"] >= 1, "no such version")
    return data


def place_pages(columns, count, location):
    """Page entries with the places of their blocks and members; checked against the whole object."""
    pages = []
    offset, index_offset = 0, location["offset"]
    for series, length, records, index_length, size in zip(*columns):
        check(records > 0, "a page without records")
        entry = {"series": series, "offset": offset, "length": length, "records": records}
        entry.update(indexOffset=index_offset, indexLength=index_length, size=size)
        pages.append(entry)
        offset += length
        index_offset += index_length
    check(sum(page["records"] for page in pages) == count > 0, "pages do not add up")
    check(offset == location["offset"], "pages do not add up")
    check(index_offset == location["offset"] + location["length"] - location["directoryLength"], "pages do not add up")
    return pages


def joined(attributes, name):
    value = attributes.get(name)
    piece = 1
    while value is not None and "%s-%d" % (name, piece) in attributes:
        value += attributes["%s-%d" % (name, piece)]
        piece += 1
    return value


def pages_in_attributes(attributes, location):
    """What the attribute map-pages tells; None when it is missing or cannot be true."""
    entries = [entry.split(",") for entry in (joined(attributes, "map-pages") or "").split(";")]
    if not all(len(entry) == 5 and all(re.fullmatch("[0-9]{1,15}", field) for field in entry[1:]) for entry in entries):
        return None
    entries = [[unquote(entry[0])] + [int(field) for field in entry[1:]] for entry in entries]
    try:
        return place_pages(zip(*entries), int(attributes["count"]), location)
    except Refused:
        return None


def page_in_attributes(attributes, pages):
    """The one page, compressed, when the attribute map-index holds it as a whole."""
    text = joined(attributes, "map-index") or ""
    if len(pages) != 1 or len(text) % 4 != 0 or not re.fullmatch("[A-Za-z0-9+/]+={0,2}", text):
        return None
    compressed = base64.b64decode(text)
    return compressed if number(compressed, len(compressed) - 4, 4) == pages[0]["size"] else None


def can_hold(entries, place, wanted):
    """Whether a page or block, by the series of the first records, can hold one of the wanted series."""
    if wanted is None:
        return True
    first = entries[place]["series"].encode("utf-8")
    following = entries[place + 1]["series"].encode("utf-8") if place + 1 < len(entries) else None
    wanted = [series.encode("utf-8") for series in wanted]
    return any(first <= series and (following is None or series <= following) for series in wanted)


def chosen_pages(obj, pages, wanted, tail=b""):
    """Opens the pages that can hold wanted series; `tail` is what was read of the object's end."""
    chosen = [page for place, page in enumerate(pages) if can_hold(pages, place, wanted)]
    opened = []
    missing = [page for page in chosen if page["indexOffset"] < obj.size - len(tail)]
    for offset, length in merged([(page["indexOffset"], page["indexLength"]) for page in missing], 64 << 10):
        data = obj.range(offset, length)
        for page in missing:
            at = page["indexOffset"] - offset
            if 0 <= at < length:
                page["bytes"] = data[at : at + page["indexLength"]]
    for page in chosen:
        at = page["indexOffset"] - (obj.size - len(tail))
        members = page["bytes"] if "bytes" in page else tail[at : at + page["indexLength"]]
        opened.append(open_page(inflate_text(index_members(members), page["size"]), page))
    return opened


def open_page(text, entry):
    page = Page(parse_json(text), entry["offset"])
    check(page.count == entry["records"] and page.end == entry["offset"] + entry["length"], "a page and its entry disagree")
    return page


def pages_from_end(obj, start, wanted):
    """Reads from `start` to the object's end, then what is missing of the directory, then pages."""
    tail = obj.range(start, obj.size - start)
    trailer = parse_trailer(tail, obj.size)
    if trailer is None:
        check(os.path.exists(obj.path + ".index.gz"), "neither trailer nor sidecar: another format, or cut")
        return pages_from_sidecar(obj)
    end = trailer["offset"] + trailer["length"]
    needed = trailer["offset"] if trailer["length"] <= READ_WHOLE else end - trailer["directoryLength"]
    if needed < start:
        tail = obj.range(needed, start - needed) + tail
        start = needed
    members = tail[end - trailer["directoryLength"] - start : end - start]
    text = inflate_text(index_members(members, trailer["crc"]), trailer["directorySize"])
    directory = parse_json(text)
    try:
        columns = directory["pages"]
        numbers = [whole_numbers(columns[name]) for name in ("length", "records", "indexLength", "size")]
        check(all(isinstance(series, str) for series in columns["series"]), "a series is no text")
        check(len({len(column) for column in numbers + [columns["series"]]}) == 1, "columns of different lengths")
        check(directory["count"] == trailer["count"], "trailer and directory disagree")
    except (KeyError, TypeError) as error:
        raise Refused("the directory lacks %s" % error)
    pages = place_pages([columns["series"]] + numbers, directory["count"], trailer)
    return chosen_pages(obj, pages, wanted, tail)


def pages_from_sidecar(obj):
    compressed = obj.sidecar()
    text = inflate_text(compressed, number(compressed, len(compressed) - 4, 4))
    check(text.endswith(b"\n"), "the sidecar was cut")
    pages = []
    for line in text[:-1].split(b"\n"):
        pages.append(Page(parse_json(line), pages[-1].end if pages else 0))
    batch = joined(obj.attributes, "batch")
    check(batch is None or unquote(batch) == pages[0].batch, "the sidecar belongs to another object")
    check(pages[-1].end == obj.size, "the sidecar belongs to another object")
    return pages


def find_pages(obj, wanted):
    """The pages of the index that can hold the wanted series (None: all)."""
    attributes = obj.attributes
    version = re.fullmatch(r"s3-batch/(\d+)", attributes.get("format", ""))
    if not version:
        return pages_from_end(obj, max(0, obj.size - SUFFIX), wanted)
    check(1 <= int(version.group(1)) <= VERSION, "a later version")
    if attributes["index"] == ".index.gz":
        return pages_from_sidecar(obj)
    names = ("offset", "length", "directoryLength", "directorySize")
    location = dict(zip(names, map(int, attributes["index"].split(","))))
    check_location(location, obj.size)
    pages = pages_in_attributes(attributes, location)
    if pages is None:
        end = location["offset"] + location["length"]
        whole = location["length"] <= READ_WHOLE
        return pages_from_end(obj, location["offset"] if whole else end - location["directoryLength"], wanted)
    compressed = page_in_attributes(attributes, pages)
    if compressed is not None:
        return [open_page(inflate_text(compressed, pages[0]["size"]), pages[0])]
    return chosen_pages(obj, pages, wanted)


# --- columns -------------------------------------------------------------------------------------------------------


def is_whole(value):
    return type(value) is int and 0 <= value < 1 << 53


def whole_numbers(values):
    check(isinstance(values, list) and all(map(is_whole, values)), "a column is no list of whole numbers")
    return values


def expand(runs, count, most):
    values = []
    check(len(runs) % 2 == 0, "half a run")
    for value, times in zip(whole_numbers(runs)[::2], runs[1::2]):
        check(value <= most and times <= count - len(values), "runs do not fit")
        values += [value] * times
    check(len(values) == count, "runs do not fit")
    return values


class Page:
    """A page of the index, decoded and checked."""

    def __init__(self, data, offset):
        try:
            self.take(data)
        except (KeyError, TypeError, AttributeError) as error:
            raise Refused("a page lacks %s" % error)
        check(data["offset"] == offset, "a page begins elsewhere")

    def take(self, data):
        self.batch = data["batch"]
        self.framing = data["framing"]
        self.compression = data["compression"]
        self.key = data["key"]
        self.topics = data["topics"]
        self.series = data["series"]
        self.count = count = data["count"]
        check(self.framing in ("newline", "length", "none"), "unknown framing")
        check(self.compression in ("gzip", "none"), "unknown compression")
        first, last = data["first"], data["last"]
        check(is_whole(first) and is_whole(last) and first <= last <= MAX_TIME, "impossible times")
        columns = data["records"]
        check(is_whole(columns["shortest"]), "lengths do not fit")
        self.length = [columns["shortest"] + length for length in whole_numbers(columns["length"])]
        check(is_whole(count) and 1 <= count == len(self.length), "wrong count")
        check(all(length < 1 << 32 for length in self.length), "a record is too long")
        self.topic = expand(columns["topic"], count, len(self.topics) - 1)
        self.flags = expand(columns["flags"], count, 65535)
        self.line_breaks = {}
        for place, breaks in columns["lineBreaks"].items():
            check(re.fullmatch("0|[1-9][0-9]*", place) and int(place) < count, "line breaks of no record")
            check(self.flags[int(place)] & FOLDED, "line breaks of a record that is not folded")
            self.line_breaks[int(place)] = whole_numbers(breaks)

        series_counts = whole_numbers(columns["series"])
        check(len(series_counts) == len(self.series) and sum(series_counts) == count, "series do not fit")
        deltas, unit = whole_numbers(columns["time"]), columns["timeUnit"]
        check(len(deltas) == count and is_whole(unit) and unit > 0, "times do not fit")
        self.series_of, self.time = [], []
        for number_of_series, records in enumerate(series_counts):
            check(records > 0, "an empty series")
            time = first
            for place in range(len(self.time), len(self.time) + records):
                time += deltas[place] * unit
                check(time <= last, "a time after the last")
                self.time.append(time)
                self.series_of.append(number_of_series)

        blocks = data["blocks"]
        columns = [whole_numbers(blocks[name]) for name in ("length", "size", "records")]
        check(len({len(column) for column in columns}) == 1, "blocks do not fit")
        self.blocks = []
        offset, place = data["offset"], 0
        check(is_whole(offset), "a page begins nowhere")
        for length, size, records in zip(*columns):
            check(1 <= records <= count - place, "blocks do not fit")
            check(sum(self.length[place : place + records]) == size <= MAX_BLOCK, "a block has another size")
            check(size <= length * MAX_RATIO if self.compression == "gzip" else size == length, "a block's size")
            block = {"offset": offset, "length": length, "size": size, "first": place, "records": records}
            self.blocks.append(block)
            offset += length
            place += records
        self.end = offset
        check(place == count, "blocks do not fit")

    def records(self, block):
        """Places of a block's records, and where they begin and end in the decompressed block."""
        start = 0
        for place in range(block["first"], block["first"] + block["records"]):
            yield place, start, start + self.length[place]
            start += self.length[place]


# --- offset keys ---------------------------------------------------------------------------------------------------

MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def zone_named(name):
    fixed = re.fullmatch(r"UTC(?:([+-])(\d{1,2})(?::(\d\d))?)?", name)
    if not fixed:
        return ZoneInfo(name)
    sign, hours, minutes = fixed.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return timezone(-offset if sign == "-" else offset)


def unit_text(unit, moment):
    if unit[0] in "Lc":
        unit = unit.replace("L", "M").replace("c", "E")
    week_year, week, week_day = moment.isocalendar()
    minutes = round(moment.utcoffset().total_seconds() / 60)
    sign, hours, rest = "-" if minutes < 0 else "+", abs(minutes) // 60, abs(minutes) % 60
    ms = moment.microsecond // 1000
    day_of_year = moment.timetuple().tm_yday
    texts = {
        "yyyy": "%04d" % moment.year,
        "yy": "%02d" % (moment.year % 100),
        "y": str(moment.year),
        "yyyyyy": "%06d" % moment.year,
        "MMM": MONTHS[moment.month - 1][:3],
        "MMMM": MONTHS[moment.month - 1],
        "ooo": "%03d" % day_of_year,
        "o": str(day_of_year),
        "a": "AM" if moment.hour < 12 else "PM",
        "SSS": "%03d" % ms,
        "u": "%03d" % ms,
        "S": str(ms),
        "kkkk": "%04d" % week_year,
        "WW": "%02d" % week,
        "W": str(week),
        "E": str(week_day),
        "EEE": DAYS[week_day - 1][:3],
        "EEEE": DAYS[week_day - 1],
        "Z": "%s%d" % (sign, hours) + (":%02d" % rest if rest else ""),
        "ZZ": "%s%02d:%02d" % (sign, hours, rest),
        "ZZZ": "%s%02d%02d" % (sign, hours, rest),
    }
    hour = (moment.hour + 11) % 12 + 1
    numbers = {"M": moment.month, "d": moment.day, "H": moment.hour, "h": hour, "m": moment.minute, "s": moment.second}
    for letter, value in numbers.items():
        texts[letter * 2] = "%02d" % value
        texts[letter] = str(value)
    check(unit in texts, "unknown unit of time %s" % unit)
    return texts[unit]


def time_text(time, time_format, zone):
    if time_format == "epoch-ms":
        return str(time)
    if time_format == "epoch-s":
        return str(time // 1000) if time % 1000 == 0 else "%d.%03d" % divmod(time, 1000)
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=time)
    if time_format == "iso":
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (time % 1000)
    moment = moment.astimezone(zone_named(zone))
    text = ""
    for token in re.finditer(r"'(?P<quoted>[^']*)'|(?P<unit>([A-Za-z])\3*)|(?P<other>[^A-Za-z'])", time_format):
        if token.group("unit"):
            text += unit_text(token.group("unit"), moment)
        elif token.group("other"):
            text += token.group("other")
        else:
            text += token.group("quoted") or "'"
    return text


def key_part(text):
    def encoded(match):
        return "".join("%%%02X" % byte for byte in match.group().encode("utf-8"))

    return re.sub(r"[%/\x00-\x1f\x7f-\x9f]", encoded, text)


def offset_key(key, series, time):
    position = key["time"]
    if position is None:
        return series
    text = key_part(time_text(time, key["format"], key["zone"]))
    if series == "" and "/" not in key["template"]:
        return text
    parts = series.split("/")
    at = min(position, len(parts)) if position >= 0 else max(0, len(parts) + 1 + position)
    parts.insert(at, text)
    return "/".join(parts)


# --- records -------------------------------------------------------------------------------------------------------


def restore(framing, record, flags, breaks):
    """The exact payload of a record."""
    if framing == "none":
        return record
    if framing == "length":
        check(len(record) >= 4 and int.from_bytes(record[:4], "big") == len(record) - 4, "a wrong length prefix")
        return record[4:]
    check(record[-1:] == b"\n", "a line does not end where it should")
    line = bytearray(record[:-1])
    if flags & (TEXT | BASE64):
        try:
            text = json.loads(line.decode("utf-8"))
        except ValueError as error:
            raise Refused("an encoded line is no JSON: %s" % error)
        check(isinstance(text, str), "an encoded line is no string")
        return text.encode("utf-8") if flags & TEXT else base64.b64decode(text, validate=True)
    if flags & FOLDED:
        check(breaks is not None, "the line breaks of a folded line are missing")
        at = 0
        for entry in breaks:
            at += entry // 2
            check(at < len(line) and line[at] == 0x20, "a line break is not where it should be")
            line[at] = 0x0D if entry % 2 else 0x0A
    return bytes(line)


def merged(ranges, gap=GAP):
    """Joins (offset, length) that lie close to each other, unless that wastes more than half."""
    spans = []
    for offset, length in ranges:
        if spans:
            last = spans[-1]
            end = offset + length
            if offset - (last[0] + last[1]) <= gap and (last[2] + length) * 2 >= end - last[0]:
                last[1], last[2] = end - last[0], last[2] + length
                continue
        spans.append([offset, length, length])
    return [(offset, length) for offset, length, _ in spans]


def read(obj, pages, wanted):
    blocks = []
    for page in pages:
        blocks += [(page, block) for block in page.blocks if any(wanted(page, row[0]) for row in page.records(block))]
    for offset, length in merged([(block["offset"], block["length"]) for _, block in blocks]):
        data = obj.range(offset, length) if length else b""
        for page, block in blocks:
            if not offset <= block["offset"] < offset + max(length, 1):
                continue
            plain = data[block["offset"] - offset :][: block["length"]]
            if page.compression == "gzip":
                plain = inflate(plain, block["size"])
            for place, start, end in page.records(block):
                if wanted(page, place):
                    breaks = page.line_breaks.get(place)
                    yield page, place, restore(page.framing, plain[start:end], page.flags[place], breaks)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("object")
    parser.add_argument("--attributes")
    parser.add_argument("--series", action="append")
    parser.add_argument("--from", dest="start", type=int, default=0)
    parser.add_argument("--to", dest="end", type=int, default=MAX_TIME)
    options = parser.parse_args()
    attributes = {}
    if options.attributes:
        with open(options.attributes, encoding="utf-8") as file:
            attributes = json.load(file)
    obj = LocalObject(options.object, attributes)

    def wanted(page, place):
        series = page.series[page.series_of[place]]
        return options.start <= page.time[place] <= options.end and (not options.series or series in options.series)

    try:
        pages = find_pages(obj, options.series)
        for page, place, payload in read(obj, pages, wanted):
            series, time = page.series[page.series_of[place]], page.time[place]
            record = {
                "key": offset_key(page.key, series, time),
                "series": series,
                "topic": page.topics[page.topic[place]],
                "time": time,
                "flags": page.flags[place],
                "payload": base64.b64encode(payload).decode(),
            }
            print(json.dumps(record))
    except Refused as error:
        sys.exit("refused: %s" % error)
    print(json.dumps({"requests": obj.requests}), file=sys.stderr)


main()
