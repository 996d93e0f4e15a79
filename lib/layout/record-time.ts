import { BoundedCache } from './bounded-cache';
import { MAX_TIME_TEXT, type TimeFormat } from './time-format';
import { FieldKind, type JsonScanner } from './json-scanner';

/** Texts of the slow formats that are remembered. */
const TEXTS = 1000;

/** Reads the records' time from one field of the payloads. */
export class RecordTime {
  readonly #format: TimeFormat;
  readonly #slot: number;
  readonly #times = new BoundedCache<string, number>(TEXTS);
  // The last text: devices send the same second, or the same nothing usable, again and again.
  readonly #lastBytes = new Uint8Array(MAX_TIME_TEXT);
  #lastLength = -1;
  #lastTime = NaN;

  constructor(format: TimeFormat, slot: number) {
    this.#format = format;
    this.#slot = slot;
  }

  /**
   * The time of the payload that was scanned last.
   * @returns ms since the epoch, or NaN when the field is missing or tells no time.
   */
  read(scanner: JsonScanner, bytes: Buffer): number {
    const slot = this.#slot;
    const kind = scanner.kinds[slot];
    if (kind !== FieldKind.STRING && kind !== FieldKind.NUMBER) return NaN;
    const start = scanner.starts[slot] ?? 0;
    const end = scanner.ends[slot] ?? 0;
    const length = end - start;
    if (length === this.#lastLength && this.#isLast(bytes, start)) return this.#lastTime;
    let time = this.#format.read(bytes, start, end);
    if (time !== time) time = this.#readSlowly(scanner, bytes, length);
    if (length <= MAX_TIME_TEXT) {
      for (let index = 0; index < length; index++) this.#lastBytes[index] = bytes[start + index] ?? 0;
      this.#lastLength = length;
      this.#lastTime = time;
    }
    return time;
  }

  #readSlowly(scanner: JsonScanner, bytes: Buffer, length: number): number {
    // Escapes make a text longer, at most sixfold.
    if (length > 6 * MAX_TIME_TEXT) return NaN;
    const text = scanner.text(this.#slot, bytes) ?? '';
    let time = this.#times.get(text);
    if (time === undefined) {
      time = this.#format.readText(text);
      this.#times.set(text, time);
    }
    return time;
  }

  #isLast(bytes: Buffer, start: number): boolean {
    const last = this.#lastBytes;
    for (let index = 0; index < this.#lastLength; index++) {
      if (last[index] !== bytes[start + index]) return false;
    }
    return true;
  }
}
