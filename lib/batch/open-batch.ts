import type { Destination, Layout, Placement } from '../layout';
import {
  bodyStart,
  type FramedPayload,
  frameOverhead,
  type Framing,
  type Records,
  type Source,
  writeFrame,
} from '../object';
import type { BatchOnDisk } from './batch-on-disk';
import { ByteChunks } from './byte-chunks';
import { RecordColumns } from './record-columns';
import type { Settled } from './settled';

/** Bytes of memory, measured, of what is kept once for a topic and series besides their texts, and for a callback. */
const SOURCE_MEMORY = 1000;
const SETTLED_MEMORY = 150;
/** Most bytes of a record's numbers in the offset index; JSON may write a topic's character with six. */
const RECORD_IN_INDEX = 32;
const CHARACTER_IN_INDEX = 6;

interface KnownSource {
  series: string;
  source: number;
  /** Further series of the topic, when payload fields take part in the key. */
  others?: Map<string, number>;
}

/**
 * A batch that records of one destination are appended to: their bytes as they will lie in the object, and 22 bytes
 * of columns each. It is what the object's writer reads once it is sealed.
 */
export class OpenBatch implements Records {
  readonly sources: Source[] = [];
  /** Bytes of all records with their frames. */
  bytes = 0;
  first = Infinity;
  last = -Infinity;
  /** Bytes, at most, that the records will take in the offset index before compression. */
  indexBytes = 0;
  /** When the last record came, by the clock that never runs backwards. */
  appendedAt: number;
  readonly settled: Settled[] = [];
  /** Undefined: the batch is in memory only. */
  onDisk: BatchOnDisk | undefined;
  /** Memory of topics, series, line breaks and callbacks. */
  #aside = 0;
  readonly #bytes = new ByteChunks();
  readonly #columns = new RecordColumns();
  readonly #known = new Map<object, KnownSource>();
  readonly #lineBreaks = new Map<number, readonly number[]>();

  /**
   * @param layout the layout that was in force when the batch was opened: it also names the object
   * @param openedAt by the clock that never runs backwards
   */
  constructor(
    readonly id: string,
    readonly layout: Layout,
    readonly destination: Destination,
    readonly framing: Framing,
    readonly openedAt: number,
  ) {
    this.appendedAt = openedAt;
  }

  get count(): number {
    return this.#columns.count;
  }

  /** Bytes of memory that the batch holds. */
  get allocated(): number {
    return this.#bytes.allocated + this.#columns.allocated + this.#aside;
  }

  append(placement: Placement, framed: FramedPayload, now: number, settled: Settled | undefined): void {
    const { body } = framed;
    const length = body.length + frameOverhead(this.framing);
    const position = this.#bytes.take(length);
    const { chunk, offset } = this.#bytes;
    chunk.set(body, bodyStart(this.framing, offset));
    writeFrame(this.framing, chunk, offset, body.length);
    const source = this.#sourceOf(placement);
    const flags = placement.flags | framed.flags;
    this.#add(placement.time, length, source, position, flags, framed.lineBreaks);
    this.onDisk?.batch.append(
      placement.time,
      source,
      flags,
      chunk,
      offset,
      offset + length,
      framed.lineBreaks,
    );
    if (settled) {
      this.settled.push(settled);
      this.#aside += SETTLED_MEMORY;
    }
    this.appendedAt = now;
  }

  /** Adds a source that came back from the journal; they come in their order. */
  restoreSource(topic: string, series: string): void {
    this.#keepSource(topic, series);
  }

  /** Adds a record that came back from the journal, frame included. */
  restore(
    time: number,
    source: number,
    flags: number,
    bytes: Buffer,
    lineBreaks: readonly number[] | undefined,
  ): void {
    const position = this.#bytes.take(bytes.length);
    const { chunk, offset } = this.#bytes;
    chunk.set(bytes, offset);
    this.#add(time, bytes.length, source, position, flags, lineBreaks);
  }

  #add(
    time: number,
    length: number,
    source: number,
    position: number,
    flags: number,
    lineBreaks: readonly number[] | undefined,
  ): void {
    const record = this.#columns.add(time, length, source, position, flags);
    if (lineBreaks) this.#addLineBreaks(record, lineBreaks);
    this.bytes += length;
    this.indexBytes += RECORD_IN_INDEX;
    if (time < this.first) this.first = time;
    if (time > this.last) this.last = time;
  }

  time(record: number): number {
    return this.#columns.time(record);
  }

  length(record: number): number {
    return this.#columns.length(record);
  }

  source(record: number): number {
    return this.#columns.source(record);
  }

  flags(record: number): number {
    return this.#columns.flags(record);
  }

  lineBreaks(record: number): readonly number[] | undefined {
    return this.#lineBreaks.get(record);
  }

  copy(record: number, target: Buffer, at: number): void {
    this.#bytes.copy(this.#columns.position(record), this.length(record), target, at);
  }

  #sourceOf(placement: Placement): number {
    const { topic, series } = placement;
    const known = this.#known.get(topic);
    if (!known) {
      const source = this.#addSource(topic.topic, series);
      this.#known.set(topic, { series, source });
      return source;
    }
    if (known.series === series) return known.source;
    known.others ??= new Map();
    let source = known.others.get(series);
    if (source === undefined) {
      source = this.#addSource(topic.topic, series);
      known.others.set(series, source);
    }
    return source;
  }

  #addLineBreaks(record: number, lineBreaks: readonly number[]): void {
    this.#lineBreaks.set(record, lineBreaks);
    this.#aside += 8 * lineBreaks.length;
    for (const entry of lineBreaks)
      this.indexBytes += entry < 10 ? 2 : entry < 100 ? 3 : entry < 1000 ? 4 : 10;
  }

  #addSource(topic: string, series: string): number {
    const source = this.#keepSource(topic, series);
    this.onDisk?.batch.addSource(topic, series);
    return source;
  }

  #keepSource(topic: string, series: string): number {
    const characters = topic.length + series.length;
    this.#aside += SOURCE_MEMORY + 2 * characters;
    this.indexBytes += CHARACTER_IN_INDEX * characters;
    return this.sources.push({ topic, series }) - 1;
  }
}
