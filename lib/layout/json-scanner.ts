import { isUtf8 } from 'node:buffer';
import type { FieldPath } from './field-path';
import { fieldTree, type FieldNode } from './field-tree';
import { endOfLiteral, endOfNumber, endOfString, type StringsSeen } from './json-bytes';

/** Deepest nesting of arrays and objects; deeper texts count as no JSON. */
export const MAX_JSON_DEPTH = 512;

/** What a wanted field turned out to be. */
export const FieldKind = { MISSING: 0, STRING: 1, NUMBER: 2, BOOLEAN: 3, NULL: 4, CONTAINER: 5 } as const;

const IN_ARRAY = 0;
const IN_OBJECT = 1;

/**
 * Checks whether bytes are one JSON text (RFC 8259) and finds the wanted fields in the same pass: exactly what
 * `JSON.parse` of the bytes as UTF-8 says, but for texts nested deeper than {@link MAX_JSON_DEPTH}, and without
 * making an object. Of members with one name the last counts. One scanner keeps the state of one text at a time.
 */
export class JsonScanner {
  /** Per path: a {@link FieldKind}. */
  readonly kinds: Uint8Array;
  /** Per path: where its value begins in the bytes; for a string, its content. Unset for MISSING and CONTAINER. */
  readonly starts: Int32Array;
  /** Per path: where its value ends in the bytes (exclusive); for a string, its content. */
  readonly ends: Int32Array;
  /** Whether a line feed or carriage return stands between the tokens of the last text. */
  lineBreaks = false;

  readonly #root: FieldNode | undefined;
  readonly #seen: StringsSeen = { high: false, escapeAt: -1 };
  readonly #containers = new Uint8Array(MAX_JSON_DEPTH + 1);
  readonly #nodes: (FieldNode | undefined)[] = new Array<undefined>(MAX_JSON_DEPTH + 1).fill(undefined);
  readonly #counts = new Int32Array(MAX_JSON_DEPTH + 1);

  /** @param paths distinct paths; the position of a path is its slot. */
  constructor(paths: readonly FieldPath[]) {
    this.kinds = new Uint8Array(paths.length);
    this.starts = new Int32Array(paths.length);
    this.ends = new Int32Array(paths.length);
    this.#root = paths.length === 0 ? undefined : fieldTree(paths);
  }

  /** Reads a text; true when the bytes are exactly one JSON text. Otherwise all fields are MISSING. */
  scan(bytes: Buffer): boolean {
    const kinds = this.kinds;
    for (let slot = 0; slot < kinds.length; slot++) kinds[slot] = FieldKind.MISSING;
    if (this.#read(bytes) && (!this.#seen.high || isUtf8(bytes))) return true;
    kinds.fill(FieldKind.MISSING);
    this.lineBreaks = false;
    return false;
  }

  #read(bytes: Buffer): boolean {
    const seen = this.#seen;
    seen.high = false;
    seen.escapeAt = -1;
    this.lineBreaks = false;
    const containers = this.#containers;
    let depth = 0;
    let inObject = false;
    let nameNext = false;
    /** Node of the array or object around, where wanted fields lie in it. */
    let around: FieldNode | undefined;
    /** Node of the value that comes next, where it is wanted or has wanted fields in it. */
    let node = this.#root;
    let at = this.#skipSpace(bytes, 0);

    for (;;) {
      let byte = bytes[at] ?? 0;
      if (nameNext) {
        if (byte !== 0x22) return false;
        const end = endOfString(bytes, ++at, seen);
        if (end === -1) return false;
        if (around !== undefined) {
          const possible = (around.lengths & (1 << ((end - at) & 31))) !== 0 || seen.escapeAt >= at;
          node = possible ? this.#member(around, bytes, at, end) : undefined;
        }
        at = end + 1;
        if (bytes[at] !== 0x3a) {
          at = this.#skipSpace(bytes, at);
          if (bytes[at] !== 0x3a) return false;
        }
        byte = bytes[++at] ?? 0;
        if (byte <= 0x20) {
          at = this.#skipSpace(bytes, at);
          byte = bytes[at] ?? 0;
        }
      }

      if (byte === 0x22) {
        const end = endOfString(bytes, ++at, seen);
        if (end === -1) return false;
        if (node !== undefined) this.#capture(node, FieldKind.STRING, at, end);
        at = end + 1;
      } else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) {
        const end = endOfNumber(bytes, at);
        if (end === -1) return false;
        if (node !== undefined) this.#capture(node, FieldKind.NUMBER, at, end);
        at = end;
      } else if (byte === 0x7b || byte === 0x5b) {
        if (depth === MAX_JSON_DEPTH) return false;
        if (node !== undefined) this.#capture(node, FieldKind.CONTAINER, at, at);
        inObject = byte === 0x7b;
        containers[++depth] = inObject ? IN_OBJECT : IN_ARRAY;
        around = node !== undefined && node.members.length > 0 ? node : undefined;
        this.#nodes[depth] = around;
        this.#counts[depth] = 0;
        at = this.#skipSpace(bytes, at + 1);
        if (bytes[at] !== (inObject ? 0x7d : 0x5d)) {
          nameNext = inObject;
          node = around === undefined || inObject ? undefined : this.#element(around, 0);
          continue;
        }
      } else {
        const end = endOfLiteral(bytes, at);
        if (end === -1) return false;
        if (node !== undefined)
          this.#capture(node, byte === 0x6e ? FieldKind.NULL : FieldKind.BOOLEAN, at, end);
        at = end;
      }

      for (;;) {
        if ((bytes[at] ?? 0) <= 0x20) at = this.#skipSpace(bytes, at);
        if (depth === 0) return at === bytes.length;
        const next = bytes[at] ?? 0;
        if (next === 0x2c) break;
        if (next !== (inObject ? 0x7d : 0x5d)) return false;
        at++;
        depth--;
        inObject = containers[depth] === IN_OBJECT;
        around = this.#nodes[depth];
      }
      at++;
      if ((bytes[at] ?? 0) <= 0x20) at = this.#skipSpace(bytes, at);
      nameNext = inObject;
      node = around === undefined || inObject ? undefined : this.#element(around, this.#count(depth));
    }
  }

  #skipSpace(bytes: Buffer, at: number): number {
    for (;;) {
      const byte = bytes[at] ?? 0;
      if (byte === 0x0a || byte === 0x0d) this.lineBreaks = true;
      else if (byte !== 0x20 && byte !== 0x09) return at;
      at++;
    }
  }

  #member(around: FieldNode, bytes: Buffer, start: number, end: number): FieldNode | undefined {
    // An escape may spell a wanted name, and a wanted name with a backslash is never spelt as it is.
    const member =
      this.#seen.escapeAt >= start
        ? around.memberNamed(JSON.parse(bytes.toString('utf8', start - 1, end + 1)) as string)
        : around.memberAt(bytes, start, end);
    if (member !== undefined) {
      for (const slot of member.slots) this.kinds[slot] = FieldKind.MISSING;
    }
    return member;
  }

  #count(depth: number): number {
    const count = (this.#counts[depth] ?? 0) + 1;
    this.#counts[depth] = count;
    return count;
  }

  #element(around: FieldNode, index: number): FieldNode | undefined {
    return around.memberNamed(String(index));
  }

  #capture(node: FieldNode, kind: number, start: number, end: number): void {
    const slot = node.slot;
    if (slot === -1) return;
    this.kinds[slot] = kind;
    this.starts[slot] = start;
    this.ends[slot] = end;
  }

  /**
   * A field of the last text as text: a string's value, a number, `true` or `false` as written.
   * @param bytes the bytes that were scanned
   * @returns undefined when the field is missing, null, an array or an object.
   */
  text(slot: number, bytes: Buffer): string | undefined {
    const kind = this.kinds[slot];
    if (kind === undefined || kind === FieldKind.MISSING || kind >= FieldKind.NULL) return undefined;
    const start = this.starts[slot] ?? 0;
    const end = this.ends[slot] ?? 0;
    if (kind !== FieldKind.STRING) return bytes.toString('latin1', start, end);
    const text = bytes.toString('utf8', start, end);
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  }
}
