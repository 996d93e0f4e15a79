import fc from 'fast-check';

import { MAX_TIME } from '../../../lib/object/format';
import type { TestRecord } from '../../support/records';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** A JSON text as people and machines write it: compact or over several lines, with any white space around. */
export const jsonText = fc
  .record({
    value: fc.jsonValue(),
    indent: fc.constantFrom<string | number>('', 1, 2, '\t'),
    lineBreak: fc.constantFrom('\n', '\r\n', '\r', '\n\n'),
    before: fc.stringMatching(/^[ \t\r\n]{0,3}$/),
    after: fc.stringMatching(/^[ \t\r\n]{0,3}$/),
  })
  .map(({ value, indent, lineBreak, before, after }) => {
    // Inside of strings JSON.stringify writes line breaks as escapes.
    const text = JSON.stringify(value, null, indent).replaceAll('\n', lineBreak);
    return Buffer.from((before + text + after).toWellFormed());
  });

/** Whatever may come over MQTT: JSON, text, bytes, nothing. */
export const payload = fc.oneof(
  { weight: 3, arbitrary: jsonText },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: bytes(100) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('', '\n', '\r\n', '\ufeff{}', '{"a":1}\n{"a":2}', '"\u2028"', '{', ' 1', '-0')
      .map((text) => Buffer.from(text)),
  },
);

const name = fc.oneof(
  fc.constantFrom('A/1', 'A/2', 'B', '', 'Ω/ü', '\u{1f600}', '\uffee', '__proto__', 'constructor'),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.toWellFormed()),
);

const time = fc.oneof(
  fc.integer({ min: 1_538_413_835, max: 1_538_413_845 }).map((seconds) => seconds * 1000),
  fc.integer({ min: 1_538_413_835_000, max: 1_538_413_835_050 }),
  fc.integer({ min: 0, max: MAX_TIME }),
);

const record: fc.Arbitrary<TestRecord> = fc.record(
  { topic: name, series: name, time, payload, flags: fc.constantFrom(0, 8, 32, 8 | 16 | 256) },
  { noNullPrototype: true },
);

/** The records of one batch in the order of their arrival. */
export const batch = fc.array(record, { minLength: 1, maxLength: 40 });

export const framing = fc.constantFrom('newline', 'length', 'none');
export const compression = fc.constantFrom('gzip', 'none');
export const blockSize = fc.constantFrom(1, 2, 30, 200, 1000, 128 * 1024);
