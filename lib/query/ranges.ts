/** A part of an object. */
export interface Span {
  offset: number;
  length: number;
  /** Bytes after decompression, where they are more. */
  size?: number;
}

/** A request: one span that covers others. */
export interface MergedSpan<T extends Span> extends Span {
  parts: T[];
}

export interface MergeLimits {
  /** Bytes between two spans up to which one request for both may be cheaper than two. */
  gap: number;
  /** Most bytes of one request, unless a single span is larger: bounds memory and lets requests run in parallel. */
  most: number;
  /** Most bytes that the parts of one request take after decompression, unless a single span takes more. */
  mostOpened?: number;
}

const MIB = 1024 * 1024;
export const DEFAULT_MERGE: MergeLimits = { gap: MIB, most: 8 * MIB, mostOpened: 32 * MIB };

/**
 * Merges spans into requests: neighbours no further apart than the gap share one, unless more than half of what it
 * brings would be wasted.
 * @param spans in the order of their offsets, not overlapping
 */
export function mergeSpans<T extends Span>(spans: readonly T[], limits = DEFAULT_MERGE): MergedSpan<T>[] {
  const { gap: mostGap, most, mostOpened = Infinity } = limits;
  const merged: MergedSpan<T>[] = [];
  let wanted = 0;
  let opened = 0;
  for (const span of spans) {
    const size = span.size ?? span.length;
    const last = merged.at(-1);
    if (last) {
      const length = span.offset + span.length - last.offset;
      const gap = span.offset - last.offset - last.length;
      const wasted = length - wanted - span.length;
      if (gap <= mostGap && length <= most && wasted * 2 <= length && opened + size <= mostOpened) {
        last.length = length;
        last.parts.push(span);
        wanted += span.length;
        opened += size;
        continue;
      }
    }
    merged.push({ offset: span.offset, length: span.length, parts: [span] });
    wanted = span.length;
    opened = size;
  }
  return merged;
}
