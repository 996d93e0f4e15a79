"""Reads records out of the objects that node-red-contrib-s3-batch stores: by series (device) and by time.

Copy this file into your project. It needs Python 3.9 or later and, to reach a store, boto3:

    import boto3
    from datetime import datetime, timezone
    from offset_index import Archive, S3Bucket

    archive = Archive(S3Bucket(boto3.client("s3"), "plant-7"))
    hour = datetime(2018, 10, 1, 17, tzinfo=timezone.utc), datetime(2018, 10, 1, 18, tzinfo=timezone.utc)
    for record in archive.records(*hour, series_prefixes=["WELDING-STATION-12/"]):
        print(record.utc, record.topic, record.payload)
    print(archive.progress)

An object is never downloaded as a whole: a HEAD and its offset index tell where the wanted records lie, and ranged GETs
bring the blocks that hold them. The format is docs/object-format.md of the project, version 1.

Times are whole milliseconds since 1970-01-01T00:00:00Z, or datetime objects with a time zone. Offsets, lengths and sizes
are bytes. Whatever goes wrong is an ArchiveError whose text says what happened and what to do. Objects are not trusted:
each number in an index is checked before memory is taken for it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import accumulate
from typing import Any, Callable, Collection, Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional
from typing import Protocol, Sequence, Tuple, TypeVar, Union
from urllib.parse import unquote
from zoneinfo import ZoneInfo

Time = Union[int, datetime]
T = TypeVar("T")
R = TypeVar("R")

VERSION = 1
SIDECAR = ".index.gz"
TRAILER = 86
"""Length of the trailer."""
SUFFIX = 64 << 10
"""What is read of an object's end when no attribute tells where its index lies."""
READ_WHOLE = 256 << 10
"""An index up to this length is read as a whole when the attributes hold no map of its pages."""
MAX_TIME = 253402300799999
MAX_INDEX = 16 << 20
"""Most bytes of an object's index, decompressed, that are taken into memory."""
MAX_RECORDS = MAX_INDEX // 32
"""Most records of an object's index that are taken: each becomes a Record in memory, however little the index says of it."""
MAX_BLOCK = 256 << 20
"""Most bytes of a block, compressed or not, that are taken into memory."""
MAX_RATIO = 1032
"""Deflate cannot make anything shorter than this many times."""
GAP, MOST, MOST_OPENED = 1 << 20, 8 << 20, 32 << 20
"""Blocks closer than GAP share a request, of at most MOST bytes that become at most MOST_OPENED."""
AHEAD = 128 << 20
"""Bytes, decompressed, that are fetched before they are asked for."""

TEXT, BASE64, FOLDED, ARRIVAL_TIME, UNMATCHED_TOPIC = 1, 2, 4, 8, 16
GUNZIPPED, INFLATED, NOT_DECOMPRESSED, FIELD_MISSING = 32, 64, 128, 256
"""Flags of a record."""


class ArchiveError(Exception):
    """What happened, and what to do."""


class StoreError(ArchiveError):
    """The store cannot be reached, refuses the keys, or has no such bucket."""


class ObjectError(ArchiveError):
    """One object cannot be read; others may be."""


class ForeignObject(ObjectError):
    """The object is not of this format, or it was cut."""


class LaterVersion(ObjectError):
    """The object is of a later version of the format than this reader."""


class CorruptObject(ObjectError):
    """The object is damaged, or it contradicts itself."""


class TooLarge(ObjectError):
    """The object asks for more memory than this reader takes."""


class ObjectChanged(ObjectError):
    """The object was replaced or deleted since it was looked at."""


def _check(condition: object, what: str) -> None:
    if not condition:
        raise CorruptObject("the object is damaged: " + what)


# --- the store -----------------------------------------------------------------------------------------------------


class Listed(NamedTuple):
    """An object as a listing tells it."""

    key: str
    size: int


class Head(NamedTuple):
    """What HEAD tells of an object; `attributes` is its user metadata, without x-amz-meta-."""

    size: int
    etag: str
    attributes: Dict[str, str]


class Bucket(Protocol):
    """What this module needs of a store. S3Bucket is one; calls may come from several threads."""

    requests: int
    received: int

    def list(self, prefix: str, start_after: str) -> Iterator[Listed]:
        """The objects whose keys begin with `prefix` and come after `start_after`, in the order of their UTF-8."""

    def head(self, key: str) -> Head: ...

    def get_range(self, key: str, offset: int, length: int, etag: Optional[str]) -> Tuple[bytes, int]:
        """Bytes of an object, fewer where it ends before, and the object's size. @raise ObjectChanged"""


class S3Bucket:
    """A bucket on S3, Ceph or another store that speaks its protocol.

    client: boto3.client("s3", …); give it Config(max_pool_connections=…) when you read with more than 10 in parallel
    requests, received: what was asked so far, and the bytes of objects that came
    """

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.requests = 0
        self.received = 0
        self._lock = threading.Lock()

    def list(self, prefix: str, start_after: str) -> Iterator[Listed]:
        more = {"StartAfter": start_after} if start_after else {}
        while True:
            page = self._ask("list_objects_v2", "", Prefix=prefix, **more)
            for entry in page.get("Contents", []):
                yield Listed(entry["Key"], entry["Size"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def head(self, key: str) -> Head:
        answer = self._ask("head_object", key, Key=key)
        return Head(answer["ContentLength"], answer["ETag"], answer["Metadata"])

    def get_range(self, key: str, offset: int, length: int, etag: Optional[str]) -> Tuple[bytes, int]:
        from botocore.exceptions import BotoCoreError

        condition = {"IfMatch": etag} if etag else {}
        last = offset + length - 1
        for attempt in (1, 2, 3):
            answer = self._ask("get_object", key, Key=key, Range="bytes=%d-%d" % (offset, last), **condition)
            told = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.get("ContentRange", ""))
            if not told:
                answer["Body"].close()
                raise StoreError("the store answered a range of %s with the whole object: it has no ranges" % key)
            begin, end, size = map(int, told.groups())
            if begin != offset or end != min(last, size - 1):
                answer["Body"].close()
                raise StoreError("the store answered with another range of %s than it was asked for" % key)
            try:
                data = answer["Body"].read()
            except (BotoCoreError, OSError) as error:  # boto3 repeats requests, but not answers that end too early
                if attempt < 3:
                    continue
                raise StoreError("reading %s from %s failed: %s" % (key, self._where(), error)) from error
            with self._lock:
                self.received += len(data)
            return data, size
        raise AssertionError("unreachable")

    def _ask(self, operation: str, key: str, **parameters: Any) -> Dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        with self._lock:
            self.requests += 1
        try:
            answer: Dict[str, Any] = getattr(self.client, operation)(Bucket=self.name, **parameters)
            return answer
        except NoCredentialsError as error:
            raise StoreError(
                "no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile"
            ) from error
        except ClientError as error:
            raise self._refusal(error, key) from error
        except BotoCoreError as error:
            if key and "more than 100 headers" in str(getattr(error, "kwargs", {}).get("error")):
                raise TooLarge("the object has more attributes than Python's http.client takes") from error
            raise StoreError("%s cannot be asked: %s" % (self._where(), error)) from error

    def _where(self) -> str:
        return "bucket %s at %s" % (self.name, self.client.meta.endpoint_url)

    def _refusal(self, error: Any, key: str) -> ArchiveError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        text = "%s answered %s: %s" % (
            self._where(),
            code,
            error.response.get("Error", {}).get("Message") or status,
        )
        if code == "NoSuchBucket" or (status == 404 and not key):
            return StoreError("there is no %s; check its name, the endpoint and the region" % self._where())
        if status == 404:
            return ObjectChanged("the object is not there (any more)")
        if status == 412:
            return ObjectChanged("the object was replaced while it was read; ask again")
        if status == 416:
            return ObjectChanged("the object is shorter than it was; ask again")
        if status in (401, 403):
            return StoreError(text + "; check the keys, their rights and the region")
        return StoreError(text)


# --- bytes ---------------------------------------------------------------------------------------------------------


def _crc_table() -> List[int]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = (number >> 1) ^ 0x82F63B78 if number & 1 else number >> 1
        table.append(number)
    return table


_CRC_TABLE = _crc_table()


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _inflate(data: bytes, size: int) -> bytes:
    """Decompresses one gzip member to exactly `size` bytes, and never takes more."""
    member = zlib.decompressobj(31)
    try:
        plain = member.decompress(data, size + 1)
    except zlib.error as error:
        raise CorruptObject("the object is damaged: %s" % error) from error
    _check(
        member.eof and not member.unused_data and len(plain) == size, "a gzip member has another size than was said"
    )
    return plain


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


def _empty_member(data: bytes, at: int, identity: bytes) -> Optional[Tuple[bytes, int]]:
    """The data of an index member or trailer, and where it ends; None when there is none at `at`."""
    if at < 0 or at + 26 > len(data) or data[at : at + 4] != b"\x1f\x8b\x08\x04":
        return None
    length = _number(data, at + 14, 2)
    end = at + 26 + length
    if data[at + 12 : at + 14] != identity or _number(data, at + 10, 2) != length + 4 or end > len(data):
        return None
    if data[end - 10 : end] != b"\x03\x00" + bytes(8):
        return None
    return data[at + 16 : end - 10], end


def _index_members(members: bytes, crc: Optional[int] = None) -> bytes:
    """The compressed bytes that index members carry."""
    pieces = []
    at = 0
    while at < len(members):
        member = _empty_member(members, at, b"OI")
        if member is None:
            raise CorruptObject("the object is damaged: an index member is missing")
        pieces.append(member[0])
        at = member[1]
    compressed = b"".join(pieces)
    _check(crc is None or _crc32c(compressed) == crc, "the checksum of the index is wrong")
    return compressed


def _inflate_text(compressed: bytes, size: int) -> bytes:
    _check_size(size)
    _check(size <= len(compressed) * MAX_RATIO, "the index cannot be as large as it says")
    return _inflate(compressed, size)


def _check_size(size: int) -> None:
    if size > MAX_INDEX:
        raise TooLarge("an offset index of %d bytes is more than the %d that this reader takes" % (size, MAX_INDEX))


def _check_records(count: int) -> None:
    if count > MAX_RECORDS:
        raise TooLarge("an offset index of %d records is more than the %d that this reader takes" % (count, MAX_RECORDS))


def _check_index_length(length: int, size: int) -> None:
    # Compressed bytes are never many more than those that they hold; a larger claim would fetch what is no index.
    _check_size(size)
    _check(length <= size * 1.1 + 1024, "the index cannot be as long as it says")


_SIGNS = re.compile(rb'[\[{\]}"]|\\.|[0-9]{18}', re.S)


def _parse_json(text: bytes) -> Dict[str, Any]:
    # Before anything is built of it: how deep it is nested, and how long its numbers are.
    depth = containers = 0
    in_text = False
    for found in _SIGNS.finditer(text):
        sign = found.group()
        if sign == b'"':
            in_text = not in_text
        elif in_text or sign[:1] == b"\\":
            continue
        elif sign in b"[{":
            depth += 1
            containers += 1
            _check(depth <= 8 and containers <= 1000 + len(text) / 8, "the index is nested too deeply")
        elif sign in b"]}":
            depth -= 1
        else:
            _check(False, "a number in the index is too large")
    try:
        data = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise CorruptObject("the object is damaged: its index is no JSON: %s" % error) from error
    _check(isinstance(data, dict) and _is_whole(data.get("version")), "the index has no version")
    _check_version(data["version"])
    return dict(data)


def _check_version(version: int) -> None:
    if version > VERSION:
        raise LaterVersion(
            "the object has version %d of the format, this reader knows %d: update it" % (version, VERSION)
        )
    _check(version >= 1, "there is no such version")


# --- the index -----------------------------------------------------------------------------------------------------


def _is_whole(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53


def _whole_numbers(values: object) -> List[int]:
    _check(isinstance(values, list) and all(map(_is_whole, values)), "a column is no list of whole numbers")
    numbers: List[int] = list(values)  # type: ignore[call-overload]
    return numbers


def _texts(values: object) -> List[str]:
    _check(
        isinstance(values, list) and all(isinstance(value, str) for value in values), "a column is no list of texts"
    )
    texts: List[str] = list(values)  # type: ignore[call-overload]
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorruptObject("the offset index holds what is no text") from error
    return texts


class KeyShape(NamedTuple):
    """How offset keys are made from series and record time."""

    template: str
    time: Optional[int]
    format: str
    zone: str


def _runs(runs: object, count: int, most: int, kind: str) -> "array[int]":
    numbers = _whole_numbers(runs)
    values = array(kind)
    _check(len(numbers) % 2 == 0, "half a run")
    for value, times in zip(numbers[::2], numbers[1::2]):
        _check(value <= most and times <= count - len(values), "runs do not fit")
        values += array(kind, [value]) * times
    _check(len(values) == count, "runs do not fit")
    return values


class Block(NamedTuple):
    """A run of records that is fetched as one: where it lies, and the places in the page that it holds."""

    offset: int
    length: int
    size: int
    first: int
    last: int


class Page:
    """A page of the offset index, decoded and checked. Columns have one entry a record, by its place in the page.

    time: ms since 1970; length, start: bytes, decompressed, frame included; topic: number of `topics`
    series_start: place of the first record of each series, and `count`
    """

    def __init__(self, text: bytes, offset: int) -> None:
        try:
            self._take(_parse_json(text), offset)
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptObject("a page of the offset index lacks %s" % error) from error

    def _take(self, data: Dict[str, Any], offset: int) -> None:
        _check(type(data["offset"]) is int and data["offset"] == offset, "a page begins elsewhere")
        self.batch, self.framing, self.compression = _texts([data["batch"], data["framing"], data["compression"]])
        _check(self.framing in ("newline", "length", "none"), "its framing is unknown")
        _check(self.compression in ("gzip", "none"), "its compression is unknown")
        key = data["key"]
        _check(key["time"] is None or type(key["time"]) is int, "the place of the time is no number")
        template, time_format, zone = _texts([key["template"], key["format"], key["zone"]])
        self.key = KeyShape(template, key["time"], time_format, zone)
        self.topics, self.series = _texts(data["topics"]), _texts(data["series"])
        self.first, self.last = data["first"], data["last"]
        _check(_are_times(self.first, self.last), "its times are impossible")

        columns = data["records"]
        self.count = count = data["count"]
        _check(_is_whole(count), "a page has another count")
        _check_records(count)
        lengths = _whole_numbers(columns["length"])
        _check(_is_whole(count) and 1 <= count == len(lengths), "a page has another count")
        shortest = columns["shortest"]
        _check(_is_whole(shortest) and shortest + max(lengths) < 1 << 32, "a record is too long")
        self.length = array("Q", [shortest + length for length in lengths])
        self.topic = _runs(columns["topic"], count, len(self.topics) - 1, "Q")
        self.flags = _runs(columns["flags"], count, 65535, "H")
        self._take_times(columns)
        self._take_blocks(data["blocks"], offset)
        self.line_breaks = {}
        for place, breaks in columns["lineBreaks"].items():
            _check(re.fullmatch("0|[1-9][0-9]{0,15}", place) and int(place) < count, "line breaks of no record")
            _check(self.flags[int(place)] & FOLDED, "line breaks of no folded record")
            self.line_breaks[int(place)] = array("Q", _whole_numbers(breaks))

    def _take_times(self, columns: Dict[str, Any]) -> None:
        distances, of_series = _whole_numbers(columns["time"]), _whole_numbers(columns["series"])
        unit = columns["timeUnit"]
        _check(_is_whole(unit) and unit >= 1, "there is no such unit of time")
        _check(len(distances) == self.count == sum(of_series) and min(of_series) >= 1, "series do not fit")
        _check(len(of_series) == len(self.series), "series do not fit")
        self.series_start = array("Q", accumulate(of_series, initial=0))
        self.time = array("Q")
        for begin, end in zip(self.series_start, self.series_start[1:]):
            times = list(accumulate((unit * distance for distance in distances[begin:end]), initial=self.first))
            _check(times[-1] <= self.last, "a time is later than the last")
            self.time.extend(times[1:])

    def _take_blocks(self, columns: Dict[str, Any], offset: int) -> None:
        numbers = [_whole_numbers(columns[name]) for name in ("length", "size", "records")]
        _check(len({len(column) for column in numbers}) == 1, "blocks do not fit")
        self.blocks: List[Block] = []
        self.start = array("Q")
        place = 0
        for length, size, records in zip(*numbers):
            _check(1 <= records <= self.count - place, "blocks do not fit")
            starts = list(accumulate(self.length[place : place + records], initial=0))
            _check(starts.pop() == size, "a block has another size than its records")
            _check(size <= length * MAX_RATIO if self.compression == "gzip" else size == length, "a block's size")
            if max(size, length) > MAX_BLOCK:
                raise TooLarge("a block of %d bytes is more than the %d that this reader takes" % (size, MAX_BLOCK))
            self.start.extend(starts)
            self.blocks.append(Block(offset, length, size, place, place + records))
            offset += length
            place += records
        self.end = offset
        _check(place == self.count, "blocks do not fit")

    def series_at(self, place: int) -> str:
        return self.series[bisect_right(self.series_start, place) - 1]


def _are_times(first: object, last: object) -> bool:
    return _is_whole(first) and _is_whole(last) and first <= last <= MAX_TIME  # type: ignore[operator]


class _Entry(NamedTuple):
    """A page as directory and attributes tell it."""

    series: str
    offset: int
    length: int
    records: int
    index_offset: int
    index_length: int
    size: int


def _place_pages(columns: Sequence[Any], count: object, data_length: int, pages_length: int) -> List[_Entry]:
    """Page entries with the places of their blocks and members; checked against the whole object."""
    pages = []
    offset, index_offset = 0, data_length
    for series, length, records, index_length, size in zip(*columns):
        _check(records > 0, "a page is without records")
        pages.append(_Entry(series, offset, length, records, index_offset, index_length, size))
        offset += length
        index_offset += index_length
    _check(pages and sum(page.records for page in pages) == count, "its pages do not add up")
    _check(offset == data_length and index_offset == data_length + pages_length, "its pages do not add up")
    return pages


class _Location(NamedTuple):
    """Where the index members lie, as attribute and trailer tell."""

    offset: int
    length: int
    directory_length: int
    directory_size: int

    def check(self, object_size: int) -> None:
        _check(self.offset + self.length + TRAILER == object_size, "its index does not end where the object does")
        _check(self.directory_length <= self.length, "its directory is longer than its index")
        _check_index_length(self.directory_length, self.directory_size)


class _Summary(NamedTuple):
    """What the attributes tell; location is None when the index is a sidecar; blocks: series of their first records."""

    records: int
    first: int
    last: int
    batch: Optional[str]
    location: Optional[_Location]
    pages: Optional[List[_Entry]]
    page: Optional[bytes]
    blocks: Optional[List[str]]


def _joined(attributes: Dict[str, str], name: str) -> Optional[str]:
    value = attributes.get(name)
    piece = 1
    while value is not None and "%s-%d" % (name, piece) in attributes:
        value += attributes["%s-%d" % (name, piece)]
        piece += 1
    return value


def _iso_time(text: str) -> int:
    _check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text, re.A), "an attribute is no time")
    try:
        seconds = datetime.strptime(text[:19] + "Z", "%Y-%m-%dT%H:%M:%SZ") - datetime(1970, 1, 1)
    except ValueError as error:
        raise CorruptObject("an attribute is no time: %s" % text) from error
    return seconds // timedelta(seconds=1) * 1000 + int(text[20:23])


def _summary(attributes: Dict[str, str], object_size: int) -> Optional[_Summary]:
    version = re.fullmatch(r"s3-batch/(\d{1,9})", attributes.get("format", ""), re.A)
    if not version:
        return None
    _check_version(int(version.group(1)))
    texts = [attributes.get(name, "") for name in ("count", "first", "last", "framing", "index")]
    _check(re.fullmatch("[0-9]{1,15}", texts[0]) and int(texts[0]) > 0, "the attribute count is no number")
    count, first, last = int(texts[0]), _iso_time(texts[1]), _iso_time(texts[2])
    _check(_are_times(first, last), "its attributes contradict each other")
    _check(texts[3] in ("newline", "length", "none"), "the attribute framing is none")
    batch = _joined(attributes, "batch")
    batch = None if batch is None else unquote(batch)
    if texts[4] == SIDECAR:
        blocks = _blocks_in_attributes(_joined(attributes, "map-blocks"), count, object_size)
        return _Summary(count, first, last, batch, None, None, None, blocks)
    _check(re.fullmatch("[0-9]{1,15}(,[0-9]{1,15}){3}", texts[4]), "the attribute index is none")
    location = _Location(*map(int, texts[4].split(",")))
    location.check(object_size)
    pages = _pages_in_attributes(_joined(attributes, "map-pages"), count, location)
    page = _page_in_attributes(_joined(attributes, "map-index"), pages)
    blocks = _blocks_in_attributes(_joined(attributes, "map-blocks"), count, location.offset)
    return _Summary(count, first, last, batch, location, pages, page, blocks)


def _rows(text: Optional[str], width: int) -> Optional[List[Tuple[str, List[int]]]]:
    """The entries of a map: a series and `width` numbers each; None when one is not."""
    entries = [entry.split(",") for entry in (text or "").split(";")]
    if not all(len(entry) == width + 1 for entry in entries):
        return None
    if not all(re.fullmatch("[0-9]{1,15}", number) for entry in entries for number in entry[1:]):
        return None
    return [(unquote(entry[0]), list(map(int, entry[1:]))) for entry in entries]


def _pages_in_attributes(text: Optional[str], count: int, location: _Location) -> Optional[List[_Entry]]:
    """What the attribute map-pages tells; None when it is missing or cannot be true."""
    rows = _rows(text, 4)
    if rows is None:
        return None
    columns = list(zip(*((series, *numbers) for series, numbers in rows)))
    try:
        return _place_pages(columns, count, location.offset, location.length - location.directory_length)
    except CorruptObject:
        return None


def _blocks_in_attributes(text: Optional[str], count: int, data_length: int) -> Optional[List[str]]:
    """The series of each block's first record by the attribute map-blocks; None when it cannot be true."""
    rows = _rows(text, 3)
    offset = records = 0
    for _, (begin, length, own) in rows or []:
        if begin != offset or own == 0:
            return None
        offset += length
        records += own
    return [series for series, _ in rows] if rows and (offset, records) == (data_length, count) else None


def _page_in_attributes(text: Optional[str], pages: Optional[List[_Entry]]) -> Optional[bytes]:
    """The one page, compressed, when the attribute map-index holds it as a whole."""
    if text is None or pages is None or len(pages) != 1:
        return None
    if len(text) % 4 != 0 or not re.fullmatch("[A-Za-z0-9+/]+={0,2}", text):
        return None
    compressed = base64.b64decode(text)
    return compressed if _number(compressed, len(compressed) - 4, 4) == pages[0].size else None


# --- what is wanted ------------------------------------------------------------------------------------------------


def milliseconds(time: Time) -> int:
    """A time as ms since 1970. @raise ValueError for a datetime without a time zone"""
    if isinstance(time, int):
        return time
    if time.tzinfo is None:
        raise ValueError("the time %s has no time zone: use datetime(…, tzinfo=timezone.utc)" % time)
    return (time - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Wanted:
    """Which records: of these times, both included, and of these series, or whose series begin so (None: all)."""

    start: int = 0
    end: int = MAX_TIME
    series: Optional[Collection[str]] = None
    series_prefixes: Optional[Collection[str]] = None

    def takes(self, series: str) -> bool:
        if self.series is None and self.series_prefixes is None:
            return True
        return series in (self.series or ()) or any(series.startswith(text) for text in self.series_prefixes or ())

    def pages(self, entries: Sequence[_Entry]) -> List[_Entry]:
        """The pages that can hold wanted series."""
        return [entry for entry, can in zip(entries, self.can_hold([entry.series for entry in entries])) if can]

    def can_hold(self, first_series: Sequence[str]) -> List[bool]:
        """Which pages or blocks can hold wanted series, by the series that each begins with."""
        if self.series is None and self.series_prefixes is None:
            return [True] * len(first_series)
        wanted = [(text.encode("utf-8"), False) for text in self.series or ()]
        wanted += [(text.encode("utf-8"), True) for text in self.series_prefixes or ()]
        first = [series.encode("utf-8") for series in first_series]

        def can(place: int, text: bytes, is_prefix: bool) -> bool:
            if place + 1 < len(first) and first[place + 1] < text:
                return False
            return first[place] <= text or (is_prefix and first[place].startswith(text))

        return [any(can(place, *one) for one in wanted) for place in range(len(first))]

    def places(self, page: Page) -> Iterator[Tuple[int, int]]:
        """Runs of wanted records of a page: place of the first, place behind the last."""
        for number, series in enumerate(page.series):
            if self.takes(series):
                begin, end = page.series_start[number], page.series_start[number + 1]
                first = bisect_left(page.time, self.start, begin, end)
                last = bisect_right(page.time, self.end, first, end)
                if first < last:
                    yield first, last


EVERYTHING = Wanted()


class Part(NamedTuple):
    """What a range holds of one block: bytes that begin with the record at `first`, and runs of wanted places."""

    page: Page
    offset: int
    length: int
    size: int
    first: int
    runs: List[Tuple[int, int]]


class Range(NamedTuple):
    """One ranged GET, and what to take out of its bytes. It can be pickled: other processes can fetch it."""

    key: str
    etag: str
    offset: int
    length: int
    parts: List[Part]

    @property
    def size(self) -> int:
        """Bytes after decompression."""
        return sum(part.size for part in self.parts)

    @property
    def records(self) -> int:
        return sum(last - first for part in self.parts for first, last in part.runs)


@dataclass(frozen=True)
class ObjectIndex:
    """An object and those pages of its offset index that can hold what was wanted.

    count, first, last: of the whole object: records, earliest and latest record time in ms since 1970
    """

    key: str
    size: int
    etag: str
    count: int
    first: int
    last: int
    pages: List[Page]

    def ranges(self, wanted: Wanted = EVERYTHING) -> List[Range]:
        """The ranged GETs that bring the wanted records: blocks that lie close together share one."""
        ranges: List[Range] = []
        used = opened = 0
        for part in (part for page in self.pages for part in _parts(page, wanted)):
            if ranges:
                last = ranges[-1]
                length = part.offset + part.length - last.offset
                gap = part.offset - last.offset - last.length
                wasted = length - used - part.length
                if gap <= GAP and length <= MOST and wasted * 2 <= length and opened + part.size <= MOST_OPENED:
                    last.parts.append(part)
                    ranges[-1] = last._replace(length=length)
                    used += part.length
                    opened += part.size
                    continue
            ranges.append(Range(self.key, self.etag, part.offset, part.length, [part]))
            used, opened = part.length, part.size
        return ranges


def _parts(page: Page, wanted: Wanted) -> Iterator[Part]:
    runs = deque(wanted.places(page))
    for block in page.blocks:
        inside: List[Tuple[int, int]] = []
        while runs and runs[0][0] < block.last:
            first, last = runs.popleft()
            if last > block.last:
                runs.appendleft((block.last, last))
            inside.append((first, min(last, block.last)))
        if not inside:
            continue
        if page.compression == "gzip":
            yield Part(page, block.offset, block.length, block.size, block.first, inside)
            continue
        for runs_together in _touching(inside):
            first, last = runs_together[0][0], runs_together[-1][1] - 1
            size = page.start[last] + page.length[last] - page.start[first]
            yield Part(page, block.offset + page.start[first], size, size, first, runs_together)


def _touching(runs: Iterable[Tuple[int, int]]) -> List[List[Tuple[int, int]]]:
    """Runs of places, those together that follow each other."""
    groups: List[List[Tuple[int, int]]] = []
    for run in runs:
        if groups and groups[-1][-1][1] == run[0]:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


# --- records -------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """A message as it was published.

    payload: its exact bytes; time: record time, ms since 1970; flags: sum of the module's flags; object: its key
    """

    topic: str
    series: str
    time: int
    payload: bytes
    flags: int
    object: str
    key_shape: KeyShape

    @property
    def utc(self) -> datetime:
        """Record time as a datetime."""
        return _moment(self.time)

    @property
    def key(self) -> str:
        """The offset key: the series with the time in its place; several records may have the same."""
        return offset_key(self.key_shape, self.series, self.time)


def _restore(framing: str, record: bytes, flags: int, breaks: Optional[Sequence[int]]) -> bytes:
    """The exact payload of a record."""
    if framing == "none":
        return record
    if framing == "length":
        _check(len(record) >= 4 and int.from_bytes(record[:4], "big") == len(record) - 4, "a wrong length prefix")
        return record[4:]
    _check(record[-1:] == b"\n", "a line does not end where it should")
    if flags & (TEXT | BASE64):
        try:
            text = json.loads(record.decode("utf-8"))
            _check(isinstance(text, str), "an encoded line is no text")
            return bytes(text.encode("utf-8")) if flags & TEXT else base64.b64decode(text, validate=True)
        except (ValueError, RecursionError) as error:
            raise CorruptObject("an encoded line cannot be decoded: %s" % error) from error
    if not flags & FOLDED:
        return record[:-1]
    line = bytearray(record[:-1])
    at = 0
    _check(breaks is not None, "the line breaks of a folded line are missing")
    for entry in breaks or ():
        at += entry // 2
        _check(at < len(line) and line[at] == 0x20, "a line break is not where it should be")
        line[at] = 0x0D if entry % 2 else 0x0A
    return bytes(line)


def _cut(wanted: Range, data: bytes) -> List[Record]:
    records = []
    for page, offset, length, size, first, runs in wanted.parts:
        plain = data[offset - wanted.offset :][:length]
        if page.compression == "gzip":
            plain = _inflate(plain, size)
        base = page.start[first]
        for begin, end in runs:
            series = page.series_at(begin)
            for place in range(begin, end):
                start = page.start[place] - base
                framed = plain[start : start + page.length[place]]
                flags = page.flags[place]
                payload = _restore(page.framing, framed, flags, page.line_breaks.get(place))
                topic = page.topics[page.topic[place]]
                records.append(Record(topic, series, page.time[place], payload, flags, wanted.key, page.key))
    return records


def fetch(bucket: Bucket, wanted: Range) -> List[Record]:
    """The records of one range, with one request.

    @raise ObjectChanged when the object is not the one that was indexed, CorruptObject, StoreError
    """
    with _naming(wanted.key):
        if wanted.length == 0:
            return _cut(wanted, b"")
        return _cut(wanted, _exactly(bucket, wanted.key, wanted.etag, wanted.offset, wanted.length))


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Errors tell of which object they are."""
    try:
        yield
    except ObjectError as error:
        raise type(error)("%s: %s" % (key, error)) from error


def _exactly(bucket: Bucket, key: str, etag: str, offset: int, length: int) -> bytes:
    data, _ = bucket.get_range(key, offset, length, etag)
    _check(len(data) == length, "it ends before its index says")
    return data


# --- the archive ---------------------------------------------------------------------------------------------------


class FoundObject(NamedTuple):
    """An object whose name says that it can hold wanted records; first and last: of its records, to the second."""

    key: str
    size: int
    first: int
    last: int


@dataclass
class Progress:
    """How far `Archive.records` has come; counted anew by each call of it.

    listed: names seen, of which so many were `foreign_names` (not of an archive) or outside of the asked time
    found, first, last: objects whose names match, and the times that these tell, ms since 1970
    found_requests, found_bytes: what a download of all of them would cost, the listing included
    without_match: looked into for nothing; failed: objects that could not be read, with the reason
    requests, bytes: asked of the store, and received of objects
    """

    listed: int = 0
    foreign_names: int = 0
    found: int = 0
    first: int = 0
    last: int = 0
    found_requests: int = 0
    found_bytes: int = 0
    done: int = 0
    without_match: int = 0
    records: int = 0
    requests: int = 0
    bytes: int = 0
    failed: Dict[str, ObjectError] = field(default_factory=dict)


_NAME = re.compile(r"(?:.*/)?(\d{8}T\d{6}Z)-(\d{8}T\d{6}Z)-[^/]+", re.A)
_PARTITIONS = {"none": "", "hour": "dt=%Y-%m-%d/hr=%H/", "day": "dt=%Y-%m-%d/", "month": "dt=%Y-%m/"}
MAX_PREFIXES = 31
"""More partitions than this are listed as one run of names."""


class Archive:
    """The objects of one bucket whose names have the form that s3-batch-out gives them, such as
    dt=2018-10-01/20181001T171035Z-20181001T174210Z-01k9x2m7q0c4v8t6s1r3.ndjson.gz: partition, first and last record time.

    partition: none, hour, day or month, as in the archive's layout
    prefix: what all names begin with, before the partition
    parallel: requests at a time
    """

    def __init__(self, bucket: Bucket, partition: str = "day", prefix: str = "", parallel: int = 8) -> None:
        if partition not in _PARTITIONS:
            raise ValueError("partition is none of %s" % ", ".join(_PARTITIONS))
        self.bucket = bucket
        self.progress = Progress()
        self._partition = _PARTITIONS[partition]
        self._prefix = prefix
        self._parallel = parallel
        self._parsing = threading.Lock()
        self._before = 0, 0

    def find_objects(self, start: Time = 0, end: Time = MAX_TIME) -> Iterator[FoundObject]:
        """The objects that can hold records of these times, both included, told by their names alone.

        Lists a partition after the other; or one run of names when they are many, and no further than `end`.
        @raise StoreError
        """
        begin, last = max(0, milliseconds(start)), min(MAX_TIME, milliseconds(end))
        if begin > last:
            return
        for prefix, start_after in self._listings(begin, last):
            is_partition = bool(self._partition) and not start_after
            for key, size in self.bucket.list(prefix, start_after):
                if key.endswith(SIDECAR):
                    continue
                self.progress.listed += 1
                times = _times_in_name(key)
                if times is None:
                    self.progress.foreign_names += 1
                elif times[0] > last:
                    # A partition is listed to its end: names in folders within it are in the order of the folders. Where that
                    # would be the rest of the archive, names that lie in no such folder tell: they are in the order of time.
                    if not is_partition and key.rpartition("/")[0] == self._folder(times[0]):
                        break
                elif times[1] >= begin:
                    yield FoundObject(key, size, *times)

    def _folder(self, time: int) -> str:
        return (self._prefix + _moment(time).strftime(self._partition)).rpartition("/")[0]

    def _listings(self, begin: int, last: int) -> List[Tuple[str, str]]:
        """Prefixes and names to start after."""
        if not self._partition:
            return [(self._prefix, "")]
        prefixes: List[str] = []
        at = _moment(begin)
        while milliseconds(at) <= last:
            prefixes.append(self._prefix + at.strftime(self._partition))
            if len(prefixes) > MAX_PREFIXES:
                return [(self._prefix + "dt=", prefixes[0])]
            try:
                at = _next_partition(at, self._partition)
            except OverflowError:
                break
        return [(prefix, "") for prefix in prefixes]

    def read_index(self, key: str, wanted: Wanted = EVERYTHING) -> Optional[ObjectIndex]:
        """Reads of an object's offset index what can hold the wanted records; None when nothing can.

        A HEAD, and then nothing, one ranged GET, or two or three where the attributes were lost.
        @raise ObjectError, StoreError
        """
        with _naming(key):
            return _Opened(self.bucket, key, self._parsing).index(wanted)

    def ranges(
        self,
        start: Time = 0,
        end: Time = MAX_TIME,
        series: Optional[Collection[str]] = None,
        series_prefixes: Optional[Collection[str]] = None,
    ) -> Iterator[Range]:
        """The ranged GETs that bring the wanted records, for `fetch`: here or in another process.

        Objects that cannot be read are left out and told in `progress.failed`. @raise StoreError
        """
        wanted = Wanted(milliseconds(start), milliseconds(end), series, series_prefixes)
        with ThreadPoolExecutor(self._parallel) as pool:
            for _, ranges in self._plans(pool, wanted):
                self._count()
                yield from ranges
        self._count()

    def records(
        self,
        start: Time = 0,
        end: Time = MAX_TIME,
        series: Optional[Collection[str]] = None,
        series_prefixes: Optional[Collection[str]] = None,
        on_progress: Optional[Callable[[Progress], None]] = None,
    ) -> Iterator[Record]:
        """Records of these times (both included) and series: object by object, in each by series and time.

        series, series_prefixes: a record is taken when its series is one of these or begins like one; None: all
        on_progress: called after each range and object. Memory does not grow with what is read: a few ranges ahead.
        Objects that cannot be read are left out from there on and told in `progress.failed`. @raise StoreError
        """
        wanted = Wanted(milliseconds(start), milliseconds(end), series, series_prefixes)
        with ThreadPoolExecutor(self._parallel) as pool:
            plans = self._plans(pool, wanted)
            jobs = ((found, one, part) for found, ranges in plans for one, part in _with_last(ranges))
            for (found, _, is_last), result in _in_order(pool, self._fetch, jobs, self._parallel, _weight):
                if isinstance(result, ObjectError):
                    self.progress.failed.setdefault(found.key, result)
                else:
                    self.progress.records += len(result)
                    yield from result
                self.progress.done += is_last
                self._count()
                if on_progress:
                    on_progress(self.progress)
        self._count()

    def _fetch(self, job: Tuple[FoundObject, Optional[Range], bool]) -> Union[List[Record], ObjectError]:
        try:
            return fetch(self.bucket, job[1]) if job[1] else []
        except ObjectError as error:
            return error

    def _count(self) -> None:
        self.progress.requests = self.bucket.requests - self._before[0]
        self.progress.bytes = self.bucket.received - self._before[1]

    def _plans(self, pool: ThreadPoolExecutor, wanted: Wanted) -> Iterator[Tuple[FoundObject, List[Range]]]:
        progress = self.progress = Progress()
        self._before = self.bucket.requests, self.bucket.received
        objects = list(self.find_objects(wanted.start, wanted.end))
        progress.found = len(objects)
        progress.first = min((found.first for found in objects), default=0)
        progress.last = max((found.last for found in objects), default=0)
        progress.found_requests = self.bucket.requests - self._before[0] + len(objects)
        progress.found_bytes = sum(found.size for found in objects)

        def plan(found: FoundObject) -> Union[List[Range], ObjectError]:
            try:
                index = self.read_index(found.key, wanted)
                return index.ranges(wanted) if index else []
            except ObjectError as error:
                return error

        for found, result in _in_order(pool, plan, iter(objects), self._parallel):
            if isinstance(result, ObjectError):
                progress.failed[found.key] = result
                result = []
            elif not result:
                progress.without_match += 1
            yield found, result


def _weight(job: Tuple[FoundObject, Optional[Range], bool]) -> int:
    return job[1].size + job[1].length if job[1] else 0


def _with_last(ranges: List[Range]) -> Iterator[Tuple[Optional[Range], bool]]:
    """Each with whether it is the last one; None when there is none."""
    for number, one in enumerate(ranges):
        yield one, number + 1 == len(ranges)
    if not ranges:
        yield None, True


def _in_order(
    pool: ThreadPoolExecutor,
    work: Callable[[T], R],
    jobs: Iterator[T],
    parallel: int,
    weight: Callable[[T], int] = lambda _: 0,
) -> Iterator[Tuple[T, R]]:
    """Does jobs in parallel and yields their results in order; those ahead weigh at most AHEAD, unless it is one."""
    ahead: Deque[Tuple[T, int, "Future[R]"]] = deque()
    total = 0
    try:
        for job in jobs:
            own = weight(job)
            while ahead and (len(ahead) >= parallel or total + own > AHEAD):
                done, weighed, future = ahead.popleft()
                total -= weighed
                yield done, future.result()
            ahead.append((job, own, pool.submit(work, job)))
            total += own
        while ahead:
            done, _, future = ahead.popleft()
            yield done, future.result()
    finally:
        for _, _, future in ahead:
            future.cancel()


def _times_in_name(key: str) -> Optional[Tuple[int, int]]:
    """First and last record time, rounded outwards to the second; None when the name tells none."""
    name = _NAME.fullmatch(key)
    if not name:
        return None
    try:
        first, last = (datetime.strptime(text + "+0000", "%Y%m%dT%H%M%SZ%z") for text in name.groups())
    except ValueError:
        return None
    return milliseconds(first), milliseconds(last) + 999


def _next_partition(at: datetime, partition: str) -> datetime:
    if "%H" in partition:
        return at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if "%d" in partition:
        return day + timedelta(days=1)
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


class _Opened:
    """One object while its index is read: its HEAD, and what was read of its end."""

    def __init__(self, bucket: Bucket, key: str, parsing: threading.Lock) -> None:
        self.bucket = bucket
        self.key = key
        self.size, self.etag, attributes = bucket.head(key)
        self.summary = _summary(attributes, self.size)
        self._parsing = parsing
        self._tail = b""

    def index(self, wanted: Wanted) -> Optional[ObjectIndex]:
        summary = self.summary
        if summary and (summary.first > wanted.end or summary.last < wanted.start):
            return None
        if summary is None:
            return self._without_attributes(wanted)
        if summary.blocks and not any(wanted.can_hold(summary.blocks)):
            return None
        if summary.location is None:
            return self._sidecar()
        if summary.pages is None:
            directory = self._directory(self._trailer_at(summary.location))
            return self._opened(directory, wanted)
        if summary.page is None:
            return self._opened(_Directory(summary.records, summary.first, summary.last, summary.pages), wanted)
        chosen = wanted.pages(summary.pages)
        pages = [self._page(summary.page, entry) for entry in chosen]
        return self._index(summary.records, summary.first, summary.last, pages)

    def _index(self, count: int, first: int, last: int, pages: List[Page]) -> Optional[ObjectIndex]:
        return ObjectIndex(self.key, self.size, self.etag, count, first, last, pages) if pages else None

    def _without_attributes(self, wanted: Wanted) -> Optional[ObjectIndex]:
        self._load(max(0, self.size - SUFFIX))
        trailer = _parse_trailer(self._tail, self.size)
        return self._sidecar() if trailer is None else self._opened(self._directory(trailer), wanted)

    def _trailer_at(self, location: _Location) -> "_Trailer":
        whole = location.length <= READ_WHOLE
        self._load(location.offset if whole else location.offset + location.length - location.directory_length)
        trailer = _parse_trailer(self._tail, self.size)
        if trailer is None:
            raise ForeignObject("the object does not end in an offset index: it was cut, or is of another format")
        return trailer

    def _directory(self, trailer: "_Trailer") -> "_Directory":
        offset, length, directory_length, directory_size = trailer.location
        begin = offset + length - directory_length
        self._load(offset if length <= READ_WHOLE else begin)
        compressed = _index_members(self._range(begin, directory_length), trailer.crc)
        data = _parse_json(_inflate_text(compressed, directory_size))
        try:
            columns = data["pages"]
            numbers = [_whole_numbers(columns[name]) for name in ("length", "records", "indexLength", "size")]
            series = _texts(columns["series"])
            _check(all(len(column) == len(series) for column in numbers), "columns of different lengths")
            _check(data["count"] == trailer.records, "trailer and directory disagree")
            _check(_are_times(data["first"], data["last"]), "its times are impossible")
            pages = _place_pages([series, *numbers], data["count"], offset, length - directory_length)
            return _Directory(data["count"], data["first"], data["last"], pages)
        except (KeyError, TypeError) as error:
            raise CorruptObject("the directory of the offset index lacks %s" % error) from error

    def _opened(self, directory: "_Directory", wanted: Wanted) -> Optional[ObjectIndex]:
        """Fetches and decodes the pages that can hold what is wanted; neighbours share a request."""
        count, first, last, entries = directory
        if first > wanted.end or last < wanted.start:
            return None
        chosen = wanted.pages(entries)
        _check_size(sum(entry.size for entry in chosen))
        _check_records(sum(entry.records for entry in chosen))
        for entry in chosen:
            _check_index_length(entry.index_length, entry.size)
        pages = []
        for span in _spans(chosen, 64 << 10, 4 << 20):
            begin, end = span[0].index_offset, span[-1].index_offset + span[-1].index_length
            data = self._range(begin, end - begin)
            for entry in span:
                at = entry.index_offset - begin
                pages.append(self._page(_index_members(data[at : at + entry.index_length]), entry))
        return self._index(count, first, last, pages)

    def _page(self, compressed: bytes, entry: _Entry) -> Page:
        with self._parsing:  # decoding takes some memory: one at a time
            page = Page(_inflate_text(compressed, entry.size), entry.offset)
        _check(
            page.count == entry.records and page.end == entry.offset + entry.length, "page and directory disagree"
        )
        return page

    def _sidecar(self) -> Optional[ObjectIndex]:
        """The index of a plain object: an object of its own with one page a line."""
        key = self.key + SIDECAR
        missing = "the object has no offset index: it does not end in one, and there is no object %s" % key
        try:
            data, size = self.bucket.get_range(key, 0, MAX_INDEX, None)
        except ObjectChanged as error:
            raise ForeignObject(missing) from error
        _check_size(size)
        pages: List[Page] = []
        with self._parsing:
            text = _inflate_text(data, _number(data, len(data) - 4, 4))
            _check(text.endswith(b"\n"), "its sidecar was cut")
            at = records = 0
            while at < len(text):
                end = text.index(b"\n", at)
                pages.append(Page(text[at:end], pages[-1].end if pages else 0))
                records += pages[-1].count
                _check_records(records)
                at = end + 1
        batch = self.summary.batch if self.summary else None
        if pages[-1].end != self.size or batch not in (None, pages[0].batch):
            raise ObjectChanged("%s is the index of another object" % key)
        first, last = min(page.first for page in pages), max(page.last for page in pages)
        return self._index(sum(page.count for page in pages), first, last, pages)

    def _load(self, offset: int) -> None:
        """Reads the object from `offset` to its end, as far as it was not read."""
        missing = self.size - len(self._tail) - offset
        if missing > 0:
            self._tail = _exactly(self.bucket, self.key, self.etag, offset, missing) + self._tail

    def _range(self, offset: int, length: int) -> bytes:
        at = offset - (self.size - len(self._tail))
        if at >= 0:
            return self._tail[at : at + length]
        return _exactly(self.bucket, self.key, self.etag, offset, length)


class _Directory(NamedTuple):
    records: int
    first: int
    last: int
    pages: List[_Entry]


class _Trailer(NamedTuple):
    location: _Location
    records: int
    crc: int


def _parse_trailer(tail: bytes, object_size: int) -> Optional[_Trailer]:
    member = _empty_member(tail, len(tail) - TRAILER, b"OT")
    if member is None or len(member[0]) != 60 or member[0][:8] != b"S3BATCH\n":
        return None
    data = member[0]
    _check(_crc32c(data[:56]) == _number(data, 56, 4), "the checksum of the trailer is wrong")
    _check_version(_number(data, 8, 4))
    offset, length, directory_length, directory_size, count = (_number(data, 12 + 8 * at, 8) for at in range(5))
    location = _Location(offset, length, directory_length, directory_size)
    location.check(object_size)
    return _Trailer(location, count, _number(data, 52, 4))


def _spans(entries: Sequence[_Entry], gap: int, most: int) -> Iterator[List[_Entry]]:
    """Pages whose members lie close together, unless more than half of what is between them were wasted."""
    span: List[_Entry] = []
    for entry in entries:
        if span:
            length = entry.index_offset + entry.index_length - span[0].index_offset
            used = sum(one.index_length for one in span) + entry.index_length
            between = entry.index_offset - span[-1].index_offset - span[-1].index_length
            if between > gap or length > most or (length - used) * 2 > length:
                yield span
                span = []
        span.append(entry)
    if span:
        yield span


# --- offset keys ---------------------------------------------------------------------------------------------------

_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_FOUR_CENTURIES = timedelta(days=146097)
"""After which the calendar, weekdays included, begins anew."""


def _moment(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=time)


def _zone_named(name: str) -> tzinfo:
    fixed = re.fullmatch(r"UTC(?:([+-])(\d{1,2})(?::(\d\d))?)?", name, re.A)
    try:
        if not fixed:
            return ZoneInfo(name)
        sign, hours, minutes = fixed.groups()
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return timezone(-offset if sign == "-" else offset)
    except (KeyError, ValueError, OSError) as error:
        raise CorruptObject(
            "the time zone %r of the offset keys is unknown here (pip install tzdata)" % name
        ) from error


def _unit_text(unit: str, at: datetime, centuries: int) -> str:
    if unit[0] in "Lc":
        unit = unit.replace("L", "M").replace("c", "E")
    week_year, week, week_day = at.isocalendar()
    year, week_year = at.year + centuries, week_year + centuries
    seconds = (at.utcoffset() or timedelta()) // timedelta(seconds=1)
    sign, hours, rest = "-" if seconds < 0 else "+", abs(seconds) // 3600, abs(seconds) % 3600 // 60
    ms = at.microsecond // 1000
    day_of_year = at.timetuple().tm_yday
    texts = {
        "yyyy": "%04d" % year,
        "yy": "%02d" % (year % 100),
        "y": str(year),
        "yyyyyy": "%06d" % year,
        "MMM": _MONTHS[at.month - 1][:3],
        "MMMM": _MONTHS[at.month - 1],
        "ooo": "%03d" % day_of_year,
        "o": str(day_of_year),
        "a": "AM" if at.hour < 12 else "PM",
        "SSS": "%03d" % ms,
        "u": "%03d" % ms,
        "S": str(ms),
        "kkkk": "%04d" % week_year,
        "WW": "%02d" % week,
        "W": str(week),
        "E": str(week_day),
        "EEE": _DAYS[week_day - 1][:3],
        "EEEE": _DAYS[week_day - 1],
        "Z": "%s%d" % (sign, hours) + (":%02d" % rest if rest else ""),
        "ZZ": "%s%02d:%02d" % (sign, hours, rest),
        "ZZZ": "%s%02d%02d" % (sign, hours, rest),
    }
    hour = (at.hour + 11) % 12 + 1
    for letter, value in {
        "M": at.month,
        "d": at.day,
        "H": at.hour,
        "h": hour,
        "m": at.minute,
        "s": at.second,
    }.items():
        texts[letter * 2] = "%02d" % value
        texts[letter] = str(value)
    _check(unit in texts, "the unit %s of times is unknown" % unit)
    return texts[unit]


def _time_text(time: int, time_format: str, zone: str) -> str:
    if time_format == "epoch-ms":
        return str(time)
    if time_format == "epoch-s":
        return str(time // 1000) if time % 1000 == 0 else "%d.%03d" % divmod(time, 1000)
    at = _moment(time)
    if time_format == "iso":
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (time % 1000)
    # The last hours of the year 9999 are in the year 10000 elsewhere, which datetime does not have.
    centuries = 400 if at.year == 9999 else 0
    at = (at - _FOUR_CENTURIES if centuries else at).astimezone(_zone_named(zone))
    text = ""
    for token in re.finditer(r"'(?P<quoted>[^']*)'|(?P<unit>([A-Za-z])\3*)|(?P<other>[^A-Za-z'])", time_format):
        if token.group("unit"):
            text += _unit_text(token.group("unit"), at, centuries)
        elif token.group("other"):
            text += token.group("other")
        else:
            text += token.group("quoted") or "'"
    return text


def _key_part(text: str) -> str:
    def encoded(match: "re.Match[str]") -> str:
        return "".join("%%%02X" % byte for byte in match.group().encode("utf-8"))

    return re.sub(r"[%/\x00-\x1f\x7f-\x9f]", encoded, text)


def offset_key(shape: KeyShape, series: str, time: int) -> str:
    """The offset key of a record of this series and time. @raise CorruptObject when its format is unknown"""
    position = shape.time
    if position is None:
        return series
    text = _key_part(_time_text(time, shape.format, shape.zone))
    if series == "" and "/" not in shape.template:
        return text
    parts = series.split("/")
    at = min(position, len(parts)) if position >= 0 else max(0, len(parts) + 1 + position)
    parts.insert(at, text)
    return "/".join(parts)
