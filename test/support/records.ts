import { mulberry32 } from '../../demo/weld-messages';
import type { Records, Source } from '../../lib/object';
import { frameOverhead, bodyStart, type Framing, toLine, writeFrame } from '../../lib/object';

/** A record as a test writes it down. */
export interface TestRecord {
  topic: string;
  series: string;
  time: number;
  payload: Buffer;
  flags?: number;
}

/** Records held as plain objects: the simplest thing that the format's writer can read. */
export function recordsOf(list: readonly TestRecord[], framing: Framing): Records {
  const sources: Source[] = [];
  const numberOf = new Map<string, number>();
  const source = list.map(({ topic, series }) => {
    const id = JSON.stringify([topic, series]);
    const number = numberOf.get(id) ?? sources.push({ topic, series }) - 1;
    numberOf.set(id, number);
    return number;
  });
  const framed = list.map(({ payload, flags = 0 }) => {
    const line =
      framing === 'newline'
        ? toLine(payload, isJson(payload), /[\r\n]/.test(payload.toString('latin1')))
        : { body: payload, flags: 0 };
    const bytes = Buffer.alloc(line.body.length + frameOverhead(framing));
    line.body.copy(bytes, bodyStart(framing, 0));
    writeFrame(framing, bytes, 0, line.body.length);
    return { ...line, bytes, flags: line.flags | flags };
  });
  const at = (record: number) => {
    const found = framed[record];
    if (!found) throw new RangeError(`no record ${record}`);
    return found;
  };
  return {
    count: list.length,
    sources,
    time: (record) => list[record]?.time ?? NaN,
    length: (record) => at(record).bytes.length,
    source: (record) => source[record] ?? NaN,
    flags: (record) => at(record).flags,
    lineBreaks: (record) =>
      'lineBreaks' in at(record) ? (at(record) as { lineBreaks?: number[] }).lineBreaks : undefined,
    copy: (record, target, offset) => void at(record).bytes.copy(target, offset),
  };
}

export function isJson(payload: Buffer): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Weld messages as the stations of one plant publish them, in shuffled order of arrival; the same for the same seed. */
export function weldRecords(count: number, devices: number, seed = 1): TestRecord[] {
  const random = mulberry32(seed);
  const start = Date.UTC(2018, 9, 1, 17, 10, 35);
  const records = Array.from({ length: count }, (_, n): TestRecord => {
    const device = `WELDING-STATION-${1 + (n % devices)}`;
    const time = start + Math.floor(n / devices) * 7000 + Math.floor(random() * 7) * 1000;
    const stamp = new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', ' ');
    const payload = {
      weldspot: {
        Timestamp: stamp,
        SpotId: 10000 + Math.floor(random() * 400),
        Voltage: round(1.2 + random() * 0.8, 3),
        Current: round(8 + random() * 4, 2),
        Resistance: round(110 + random() * 60, 1),
        Force: round(2.2 + random(), 2),
        DurationMs: 280 + Math.floor(random() * 120),
        ElectrodeWear: Math.floor(random() * 3000),
        Quality: random() < 0.98 ? 'OK' : 'NOK',
      },
    };
    return {
      topic: `ROOT/JSON/NONE/PLANT-7/${device}/WELD/1`,
      series: `${device}/WELD/1`,
      time,
      payload: Buffer.from(JSON.stringify(payload)),
    };
  });
  for (let i = records.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [records[i], records[j]] = [records[j]!, records[i]!];
  }
  return records;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
