import { deflateSync, gzipSync } from 'node:zlib';

import { weldMessages } from '../../demo/weld-messages';

/** A message that can be recognized wherever it turns up, by the number that is in its payload. */
export interface NumberedMessage {
  number: number;
  topic: string;
  /** As it is published. */
  payload: Buffer;
  /** As it is to come back: decompressed where the topic tells so. */
  content: Buffer;
  bucket: string;
  station: string;
  /** When it was welded, ms since 1970; undefined when the payload does not tell in a way that can be read. */
  time: number | undefined;
  kind: Kind;
}

export const ODD_KINDS = [
  'gzip',
  'zlib',
  'no gzip',
  'line feeds',
  'carriage returns',
  'text',
  'bytes',
  'no time',
  'other topic',
] as const;
export type Kind = (typeof ODD_KINDS)[number] | 'plain';

export interface NumberedOptions {
  plant: string;
  count: number;
  /** Number of the first message. */
  from?: number;
  /** The kinds that take turns; all are plain without it. */
  kinds?: readonly Kind[];
  /** Where messages of the kind `other topic` go. */
  unmatchedBucket?: string;
}

/** Weld spots of 20 stations of one plant over ten minutes, in the order of their time. */
export function numberedMessages(options: NumberedOptions): NumberedMessage[] {
  const { plant, count, from = 0, kinds = ['plain'], unmatchedBucket = '' } = options;
  return [...weldMessages({ count, plants: 1, seed: from + 1 })].map((message, index) => {
    const number = from + index;
    const kind = kinds[index % kinds.length] ?? 'plain';
    const { weldspot } = JSON.parse(message.payload.toString()) as { weldspot: Record<string, unknown> };
    const { content, payload } = bytesOf(kind, number, weldspot);
    return {
      number,
      topic: topicOf(kind, plant, message.station),
      payload,
      content,
      bucket: kind === 'other topic' ? unmatchedBucket : plant.toLowerCase(),
      station: message.station,
      time: ['text', 'bytes', 'no time', 'no gzip'].includes(kind) ? undefined : message.time,
      kind,
    };
  });
}

function topicOf(kind: Kind, plant: string, station: string): string {
  if (kind === 'other topic') return `ROOT/REPORTS/${plant}/${station}`;
  const compression = kind === 'gzip' || kind === 'zlib' ? kind.toUpperCase() : 'NONE';
  return `ROOT/JSON/${kind === 'no gzip' ? 'GZIP' : compression}/${plant}/${station}/WELD/1`;
}

function bytesOf(
  kind: Kind,
  number: number,
  weldspot: Record<string, unknown>,
): { content: Buffer; payload: Buffer } {
  const same = (content: Buffer) => ({ content, payload: content });
  const json = Buffer.from(JSON.stringify({ number, weldspot }));
  switch (kind) {
    case 'gzip':
      return { content: json, payload: gzipSync(json) };
    case 'zlib':
      return { content: json, payload: deflateSync(json) };
    case 'line feeds':
      return same(Buffer.from(JSON.stringify({ number, weldspot }, null, 2)));
    case 'carriage returns':
      return same(Buffer.from(JSON.stringify({ number, weldspot }, null, '\t').replaceAll('\n', '\r\n')));
    case 'text':
      return same(
        Buffer.from(`number=${number}; Schweißpunkt "${String(weldspot.SpotId)}"\r\nsecond line\n`),
      );
    case 'no gzip':
    case 'bytes':
      return same(Buffer.from(`\x00\xff\xfe\n\r number=${number};\x80`, 'latin1'));
    case 'no time':
      return same(Buffer.from(JSON.stringify({ number, weldspot: { ...weldspot, Timestamp: 'yesterday' } })));
    default:
      return same(json);
  }
}

/** The number of the message whose record stands in a line of an object, read without the offset index. */
export function numberInLine(line: string): number {
  const value = JSON.parse(line) as { number: number } | string;
  if (typeof value !== 'string') return value.number;
  const [, number] =
    /number=(\d+);/.exec(value) ??
    /number=(\d+);/.exec(Buffer.from(value, 'base64').toString('latin1')) ??
    [];
  if (number === undefined) throw new Error(`no message's number in the line ${line}`);
  return Number(number);
}
