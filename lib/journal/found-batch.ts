import { type BatchState } from './batch';
import {
  type JournalSource,
  ordinalOf,
  readOpen,
  readSeal,
  readSource,
  recordBytes,
  sourceOf,
} from './entries';
import { Kind } from './format';
import type { Segment } from './segment';

/** What comes to light of one batch while segments are read. Records are counted, not kept. */
export class FoundBatch {
  id: string | undefined;
  description = '';
  isForgotten = false;
  count = 0;
  readonly segments = new Set<Segment>();
  /** First segment it was found in and the bytes there that hold entries of it. */
  readonly where: { segment: Segment; from: number; to: number };
  #bytes = 0;
  #next = 0;
  #sealed: string | undefined;
  /** Undefined once they need not be kept. */
  #sources: Map<number, JournalSource> | undefined = new Map();
  /** Records that came before their source did, per source: after damage only. */
  readonly #waiting = new Map<number, { count: number; bytes: number }>();
  #nextSource = 0;

  constructor(
    readonly number: number,
    segment: Segment,
    position: number,
  ) {
    this.where = { segment, from: position, to: position };
  }

  entry(kind: number, bytes: Buffer, body: number, end: number): void {
    switch (kind) {
      case Kind.OPEN:
        if (this.id === undefined)
          ({ id: this.id, description: this.description } = readOpen(bytes, body, end));
        break;
      case Kind.SOURCE:
        this.#source(ordinalOf(bytes, body), bytes, body, end);
        break;
      case Kind.RECORD:
      case Kind.FOLDED:
        this.#record(ordinalOf(bytes, body), sourceOf(bytes, body), recordBytes(kind, bytes, body, end));
        break;
      case Kind.SEAL:
        this.#sealed ??= readSeal(bytes, body, end);
        this.#next = Math.max(this.#next, ordinalOf(bytes, body));
        if (this.#waiting.size === 0 && this.#inOrder()) this.#sources = undefined;
    }
  }

  forget(): void {
    this.isForgotten = true;
    this.#sources = undefined;
  }

  get state(): BatchState {
    let { count } = this;
    let bytes = this.#bytes;
    let isOdd = !this.#inOrder();
    for (const [source, waiting] of this.#waiting) {
      isOdd = true;
      if (this.#sources?.has(source)) continue;
      count -= waiting.count;
      bytes -= waiting.bytes;
    }
    const sources = this.#sources && [...this.#sources.values()];
    return {
      count,
      bytes,
      next: this.#next,
      missing: this.#next - count,
      sources: this.#sealed !== undefined && !isOdd ? undefined : sources,
      numbers: isOdd && this.#sources ? [...this.#sources.keys()] : undefined,
      nextNumber: this.#nextSource,
      sealed: this.#sealed,
    };
  }

  #source(number: number, bytes: Buffer, body: number, end: number): void {
    this.#nextSource = Math.max(this.#nextSource, number + 1);
    if (this.#sources && !this.#sources.has(number)) {
      this.#sources.set(number, readSource(bytes, body, end));
    }
  }

  /** A record that has come before, from a group that was written twice, is no other record. */
  #record(ordinal: number, source: number, bytes: number): void {
    if (ordinal < this.#next) return;
    this.#next = ordinal + 1;
    this.count++;
    this.#bytes += bytes;
    if (!this.#sources || this.#sources.has(source)) return;
    this.#nextSource = Math.max(this.#nextSource, source + 1);
    const waiting = this.#waiting.get(source);
    if (waiting) {
      waiting.count++;
      waiting.bytes += bytes;
    } else this.#waiting.set(source, { count: 1, bytes });
  }

  /** Whether each source's number is its place: always so without damage. */
  #inOrder(): boolean {
    if (!this.#sources) return true;
    if (this.#sources.size !== this.#nextSource) return false;
    let place = 0;
    for (const number of this.#sources.keys()) if (number !== place++) return false;
    return true;
  }
}
