import assert from 'node:assert/strict';

import fc from 'fast-check';

import { digestsOf, DIGEST_LENGTH, writeDigest } from '../../../lib/delivery/digest';
import { payloadBytes } from '../../../nodes/common/payload';
import { recordsOf } from '../../support/records';
import { batch, framing, payload } from '../object/arbitraries';

function digestOf(topic: string, bytes: Buffer): string {
  const digest = Buffer.alloc(DIGEST_LENGTH);
  writeDigest(topic, bytes, digest, 0);
  return digest.toString('hex');
}

const digestOfText = (text: string): string => digestOf('a/b', Buffer.from(text));

describe('the digest of a message', () => {
  it('is the same for a Buffer, a string, and what mqtt in parses of JSON', () => {
    fc.assert(
      fc.property(payload, (bytes) => {
        const text = bytes.toString();
        assert.equal(digestOf('a/b', payloadBytes(text)), digestOf('a/b', bytes));
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          return;
        }
        if (value === null) return; // No payload: s3-batch-out refuses it.
        assert.equal(digestOf('a/b', payloadBytes(value)), digestOf('a/b', bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('does not see how JSON is spelled', () => {
    const spellings = [
      '{"a":1.50,"b":"\\u00fc"}',
      ' {"a": 15e-1,\r\n "b": "ü"}\n',
      '{"a":1.5,"b":"\\u00FC"}',
    ];
    assert.equal(new Set(spellings.map(digestOfText)).size, 1);
    assert.equal(digestOfText('"\\"abc\\""'), digestOfText('abc'));
    assert.equal(digestOfText('-0'), digestOfText('0.0'));
    assert.equal(digestOfText('1e999'), digestOfText('null'));
  });

  it('sees every other difference', () => {
    const texts = [
      '',
      'abc',
      'ABC',
      'abc ',
      '{"a":1}',
      '{"a":2}',
      '{"b":1}',
      '{"a":"1"}',
      '[1]',
      '1',
      '{a:1}',
    ];
    const digests = texts.flatMap((text) =>
      ['a/b', 'a/c', 'a'].map((topic) => digestOf(topic, Buffer.from(text))),
    );
    assert.equal(new Set(digests).size, digests.length);
    // The end of the topic is not taken for the beginning of the payload.
    assert.notEqual(digestOf('ab', Buffer.from('c')), digestOf('a', Buffer.from('bc')));
  });

  it('takes bytes that are no UTF-8 as a string payload has them', () => {
    const bytes = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]); // {"\xff":1}
    assert.equal(digestOf('t', bytes), digestOf('t', Buffer.from('{"\ufffd": 1}')));
    assert.equal(digestOf('t', Buffer.from([0xfe, 0x80])), digestOf('t', Buffer.from('\ufffd\ufffd')));
  });

  it('takes any depth of nesting', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    assert.equal(digestOfText(deep), digestOfText(deep));
    assert.notEqual(digestOfText(deep), digestOfText(`${deep} `.slice(1)));
  });

  it('stays what it is: both sides may have different releases', () => {
    assert.equal(digestOf('plant-7/spot', Buffer.from('{ "current": 8.10 }')), '03d6d4472bd6cf13');
  });

  it('is made for records of any framing in the order of arrival', async () => {
    await fc.assert(
      fc.asyncProperty(batch, framing, async (records, kind) => {
        const digests = await digestsOf(recordsOf(records, kind), kind);
        const expected = records.map((record) => digestOf(record.topic, record.payload));
        assert.deepEqual(digests.toString('hex').match(/.{16}/g), expected);
      }),
    );
  });

  it('lets the event loop turn', async () => {
    const records = Array.from({ length: 3000 }, (_, n) => ({
      topic: 't',
      series: 's',
      time: n,
      payload: Buffer.from(String(n)),
      flags: 0,
    }));
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns++;
      if (!done) setImmediate(turn);
    };
    setImmediate(turn);
    await digestsOf(recordsOf(records, 'length'), 'length');
    done = true;
    assert.ok(turns > 10, `${turns} turns`);
  });
});
