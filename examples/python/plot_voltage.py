#!/usr/bin/env python3
"""Draws the voltage of each welding device of a plant over time, out of the objects that the archive flow stores.

    pip install -r requirements.txt
    python plot_voltage.py --plant PLANT-7 --from "20181001 171035" --to "20181001 172035" --output voltage.png

It lists the plant's objects of these days, asks for their attributes (HEAD), reads the offset index and fetches just the
blocks that hold the wanted devices and times. The archive is laid out as in the example flow "welding-plant": one bucket
a plant, partitions by day, offset keys DEVICE-ID/MSG-TYPE/MSG-VERSION/Timestamp. Keys, region and profile are found as
boto3 finds them: AWS_ACCESS_KEY_ID and so on, ~/.aws, --profile.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import Any, Dict, List, Optional, Sequence, Tuple
from urllib.parse import unquote

from offset_index import Archive, ArchiveError, Progress, Record, S3Bucket, milliseconds

PLANT_LEVEL = 3
"""Of topics such as ROOT/JSON/NONE/PLANT-7/WELDING-STATION-12/WELD/1, from 0."""
WIDTH = 1200
"""Pixels of a drawing of full width; a long range is thinned to its pixel columns."""
SAME_AXES, FEW_POINTS = 6, 200
"""More devices, or devices of more points, would hide each other: then each has a drawing of its own."""
MAX_DEVICES = 60
COLORS = ["#0b62a4", "#d1495b", "#2e8b57", "#b8860b", "#6a4c93", "#00798c"]

Point = Tuple[int, float]


class Trace:
    """Voltage of one device over time, ms since 1970; of each pixel column of a long one, lowest and highest remain."""

    def __init__(self, start: int, end: int) -> None:
        self.spots = 0
        self._start, self._length = start, max(1, end - start)
        self._points: List[Point] = []

    def add(self, at: int, voltage: float) -> None:
        self.spots += 1
        self._points.append((at, voltage))
        if len(self._points) > 10 * WIDTH:
            self._points = self._thinned(WIDTH)

    def points(self, width: int) -> List[Point]:
        """In the order of time, as many as can be seen on so many pixels."""
        return sorted(self._thinned(width) if len(self._points) > 2 * width else self._points)

    def _thinned(self, width: int) -> List[Point]:
        columns: Dict[int, List[Point]] = {}
        for point in self._points:
            # Objects may hold other times than their names say: what lies outside is in the first or last column.
            column = min(width, max(-1, (point[0] - self._start) * width // self._length))
            extremes = columns.setdefault(column, [point, point])
            if point[1] < extremes[0][1]:
                extremes[0] = point
            if point[1] > extremes[1][1]:
                extremes[1] = point
        return [point for extremes in columns.values() for point in set(extremes)]


class Spots:
    """The voltages in records: one trace a device, and what was left out."""

    def __init__(self, archive: Archive, plant: str, field: str, start: int, end: int) -> None:
        self.traces: Dict[str, Trace] = {}
        self.other_plants = 0
        self.without_number = 0
        self._archive, self._plant, self._path = archive, plant, field.split(".")
        self._start, self._end = start, end

    def add(self, record: Record) -> None:
        if record.topic.split("/")[PLANT_LEVEL : PLANT_LEVEL + 1] != [self._plant]:
            self.other_plants += 1
            return
        voltage = number_at(record.payload, self._path)
        if voltage is None:
            self.without_number += 1
            return
        device = unquote(record.series.split("/")[0])
        if device not in self.traces:
            if len(self.traces) == MAX_DEVICES:
                sys.exit(
                    "more than %d devices cannot be told apart in a drawing: choose with --device" % MAX_DEVICES
                )
            # A long question about a short archive is thinned as what there is, which the objects' names tell.
            told = self._archive.progress
            self.traces[device] = Trace(max(self._start, told.first), min(self._end, told.last))
        self.traces[device].add(record.time, voltage)


def number_at(payload: bytes, path: Sequence[str]) -> Optional[float]:
    """The number in a JSON payload, or None."""
    try:
        value = json.loads(payload)
        for name in path:
            value = value[name]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def time_of(text: str) -> datetime:
    """A time of the command line: as in the messages, in UTC, or ISO 8601."""
    if re.fullmatch(r"\d{8} \d{6}", text):
        return datetime.strptime(text, "%Y%m%d %H%M%S").replace(tzinfo=timezone.utc)
    at = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def bucket_of(plant: str) -> str:
    """The bucket that the archive flow stores a plant in, where its name can be one as it is."""
    name = plant.lower()
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", name):
        sys.exit("%r cannot be a bucket's name as it is: say with --bucket where its objects are" % plant)
    return name


class Meter:
    """Says how far it is: on a terminal in one line, else now and then."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        is_terminal = sys.stderr.isatty()
        if time.monotonic() - self._said < (0.2 if is_terminal else 5):
            return
        self._said = time.monotonic()
        text = "%s of %s objects, %s records, %s" % (
            thousands(progress.done),
            thousands(progress.found),
            thousands(progress.records),
            cost(progress),
        )
        print(
            "\r\x1b[K" + text if is_terminal else text, end="" if is_terminal else "\n", file=sys.stderr, flush=True
        )

    def end(self) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr)


def thousands(number: int) -> str:
    return "{:,}".format(number)


def cost(progress: Progress) -> str:
    """What was asked for, beside a download of every object whose name matches."""
    return "%s requests and %s bytes; a download of everything: %s requests and %s bytes" % (
        thousands(progress.requests),
        thousands(progress.bytes),
        thousands(progress.found_requests),
        thousands(progress.found_bytes),
    )


def client_of(options: argparse.Namespace) -> Any:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=10,
        read_timeout=30,
        retries={"mode": "standard", "max_attempts": 5},
        max_pool_connections=16,
        # Names of buckets before a host name are AWS's own; other stores take them in the path.
        s3={"addressing_style": "path" if options.endpoint_url else "auto"},
    )
    try:
        session = boto3.Session(profile_name=options.profile, region_name=options.region)
        return session.client("s3", endpoint_url=options.endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        sys.exit("plot_voltage: %s" % error)


def read(archive: Archive, options: argparse.Namespace) -> Spots:
    """@raise ArchiveError"""
    start, end = milliseconds(options.start), milliseconds(options.end)
    prefixes = [key_part(device) + "/" for device in options.device] or None
    meter = Meter()
    spots = Spots(archive, options.plant, options.field, start, end)
    try:
        for record in archive.records(start, end, series_prefixes=prefixes, on_progress=meter):
            spots.add(record)
    finally:
        meter.end()
    return spots


def key_part(text: str) -> str:
    """A level of the topic as it stands in offset keys."""
    return re.sub(
        r"[%\x00-\x1f\x7f-\x9f]", lambda one: "".join("%%%02X" % byte for byte in one.group().encode()), text
    )


def report(archive: Archive, spots: Spots, options: argparse.Namespace) -> bool:
    """Says what was read; False when something was missing."""
    progress = archive.progress
    total = sum(trace.spots for trace in spots.traces.values())
    print("%s spots of %d devices in %s objects" % (thousands(total), len(spots.traces), thousands(progress.found)))
    print(cost(progress))
    for count, what in (
        (spots.without_number, "records without a number at %s" % options.field),
        (spots.other_plants, "records of other plants than %s" % options.plant),
        (progress.foreign_names, "objects whose names are none of the archive"),
    ):
        if count:
            print("left out: %s %s" % (thousands(count), what), file=sys.stderr)
    missing = [device for device in options.device if device not in spots.traces]
    if missing:
        print("nothing found of: %s" % ", ".join(missing), file=sys.stderr)
    for key, error in progress.failed.items():
        text = str(error)
        print("could not be read: %s" % (text if key in text else "%s: %s" % (key, text)), file=sys.stderr)
    return not progress.failed


def draw(spots: Spots, options: argparse.Namespace, note: str) -> Any:
    import matplotlib

    if options.output:
        matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    names = sorted(spots.traces, key=natural)
    most = max(trace.spots for trace in spots.traces.values())
    # A name that begins with "_" is none for a legend.
    each = (
        len(names) > SAME_AXES or (len(names) > 1 and most > FEW_POINTS) or any(name[:1] == "_" for name in names)
    )
    across = 4 if len(names) > SAME_AXES else 1
    down = math.ceil(len(names) / across) if each else 1
    lines = {name: spots.traces[name].points(WIDTH // across) for name in names}
    shown = sum(map(len, lines.values()))
    total = sum(trace.spots for trace in spots.traces.values())
    size = (14, 1.6 + 1.6 * down) if each else (14, 5.5)
    with plt.rc_context(
        {"axes.grid": True, "grid.alpha": 0.4, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure, grid = plt.subplots(
            down,
            across,
            figsize=size,
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
            facecolor="white",
        )
    axes = list(grid.flat)
    for number, name in enumerate(names):
        axis = axes[number if each else 0]
        color = COLORS[0 if each else number % len(COLORS)]
        times, voltages = with_gaps(lines[name])
        marker = "." if len(times) < 300 else ""
        axis.plot(times, voltages, color=color, linewidth=0.9, marker=marker, markersize=3, label=name)
        if each:
            axis.set_title(name, fontsize=9, loc="left", parse_math=False)
    if not each:
        legend = axes[0].legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, title="Device")
        for text in legend.get_texts():
            text.set_parse_math(False)
    for number in range(len(names), len(axes)):
        axes[number].set_visible(False)
        axes[number - across].tick_params(labelbottom=True)
    for axis in axes:
        locator = AutoDateLocator(tz=timezone.utc, minticks=3, maxticks=5 if across > 1 else 9)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=timezone.utc))
    figure.supylabel("%s (V)" % options.field.split(".")[-1])
    figure.supxlabel("Time (UTC)")
    subtitle = "%s spots of %d devices" % (thousands(total), len(names))
    if shown < total:
        subtitle += ", thinned to %s points: lowest and highest of each pixel column" % thousands(shown)
    figure.suptitle("Weld voltage of %s\n%s%s" % (options.plant, subtitle, note), fontsize=12, parse_math=False)
    return plt, figure


def natural(name: str) -> List[Any]:
    """STATION-2 before STATION-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def with_gaps(points: Sequence[Point]) -> Tuple[List[datetime], List[float]]:
    """Times and voltages; no line is drawn across a pause far longer than the usual distance."""
    distances = [after[0] - before[0] for before, after in zip(points, points[1:])]
    pause = max(60_000, 20 * median(distances)) if distances else 0
    times: List[datetime] = []
    voltages: List[float] = []
    for number, (at, voltage) in enumerate(points):
        if number and distances[number - 1] > pause:
            times.append(datetime.fromtimestamp(at / 1000, timezone.utc) - timedelta(milliseconds=1))
            voltages.append(math.nan)
        times.append(datetime.fromtimestamp(at / 1000, timezone.utc))
        voltages.append(voltage)
    return times, voltages


def arguments(given: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draws the voltage of each welding device of a plant over time.")
    parser.add_argument("--plant", required=True, help="such as PLANT-7; its bucket is plant-7")
    parser.add_argument(
        "--from",
        dest="start",
        help='first time, "20181001 171035" in UTC or ISO 8601',
        type=time_of,
        required=True,
        metavar="TIME",
    )
    parser.add_argument("--to", dest="end", help="last time, included", type=time_of, required=True, metavar="TIME")
    parser.add_argument("--device", action="append", default=[], help="such as WELDING-STATION-12; may be repeated")
    parser.add_argument("--output", help="file for the drawing, such as voltage.png; without it a window opens")
    parser.add_argument("--field", default="weldspot.Voltage", help="of the payload (default: %(default)s)")
    parser.add_argument("--bucket", help="where it is not the plant's name in lower case")
    parser.add_argument("--endpoint-url", help="of Ceph, MinIO and others; without it AWS_ENDPOINT_URL, else AWS")
    parser.add_argument("--region")
    parser.add_argument("--profile", help="of ~/.aws/config")
    options = parser.parse_args(given)
    if options.start > options.end:
        parser.error("--from is later than --to")
    return options


def main(given: Optional[Sequence[str]] = None) -> int:
    options = arguments(given)
    bucket = options.bucket or bucket_of(options.plant)
    archive = Archive(S3Bucket(client_of(options), bucket))
    try:
        spots = read(archive, options)
    except ArchiveError as error:
        print("plot_voltage: %s" % error, file=sys.stderr)
        return 1
    is_complete = report(archive, spots, options)
    if not spots.traces:
        print("plot_voltage: nothing to draw of these devices and times", file=sys.stderr)
        return 1
    note = "" if is_complete else "; objects that could not be read: %d" % len(archive.progress.failed)
    plt, figure = draw(spots, options, note)
    if options.output:
        figure.savefig(options.output, dpi=100)
        print("drawn: %s" % options.output)
    elif plt.get_backend().lower() == "agg":
        print("plot_voltage: there is no display: name a file with --output", file=sys.stderr)
        return 1
    else:
        plt.show()
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
