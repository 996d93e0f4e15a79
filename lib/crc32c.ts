/**
 * CRC-32C (Castagnoli), reflected polynomial 0x82F63B78; see RFC 3720, appendix B.4. Eight tables of 256 words, so
 * that eight bytes are taken in a step ("slicing by 8", Kounavis and Berry, 2005): table n tells what a byte adds
 * that n bytes follow.
 */
const TABLES = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  TABLES[byte] = crc;
}
for (let at = 256; at < TABLES.length; at++) {
  const before = TABLES[at - 256] ?? 0;
  TABLES[at] = (before >>> 8) ^ (TABLES[before & 0xff] ?? 0);
}

/**
 * The CRC-32C of `bytes[start, end)` as an unsigned 32-bit number.
 * @param crc checksum of the bytes before, to go on from it
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, crc = 0): number {
  let state = ~crc;
  let at = start;
  for (const last = end - 8; at <= last; at += 8) {
    state =
      (TABLES[1792 | ((state ^ (bytes[at] ?? 0)) & 0xff)] ?? 0) ^
      (TABLES[1536 | (((state >>> 8) ^ (bytes[at + 1] ?? 0)) & 0xff)] ?? 0) ^
      (TABLES[1280 | (((state >>> 16) ^ (bytes[at + 2] ?? 0)) & 0xff)] ?? 0) ^
      (TABLES[1024 | ((state >>> 24) ^ (bytes[at + 3] ?? 0))] ?? 0) ^
      (TABLES[768 | (bytes[at + 4] ?? 0)] ?? 0) ^
      (TABLES[512 | (bytes[at + 5] ?? 0)] ?? 0) ^
      (TABLES[256 | (bytes[at + 6] ?? 0)] ?? 0) ^
      (TABLES[bytes[at + 7] ?? 0] ?? 0);
  }
  for (; at < end; at++) state = (TABLES[(state ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (state >>> 8);
  return ~state >>> 0;
}

/** The CRC-32C of two 32-bit words, each with its lowest byte first. */
export function crc32cOfWords(first: number, second: number, crc = 0): number {
  const low = ~crc ^ first;
  const state =
    (TABLES[1792 | (low & 0xff)] ?? 0) ^
    (TABLES[1536 | ((low >>> 8) & 0xff)] ?? 0) ^
    (TABLES[1280 | ((low >>> 16) & 0xff)] ?? 0) ^
    (TABLES[1024 | (low >>> 24)] ?? 0) ^
    (TABLES[768 | (second & 0xff)] ?? 0) ^
    (TABLES[512 | ((second >>> 8) & 0xff)] ?? 0) ^
    (TABLES[256 | ((second >>> 16) & 0xff)] ?? 0) ^
    (TABLES[second >>> 24] ?? 0);
  return ~state >>> 0;
}
