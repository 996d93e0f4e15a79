import assert from 'node:assert/strict';
import { sliceOf } from '../../embedded/s3-server/range';

describe('ranges of the embedded S3 server', () => {
  it('are what RFC 9110 says', () => {
    assert.deepEqual(sliceOf('bytes=0-9', 100), { start: 0, length: 10 });
    assert.deepEqual(sliceOf('bytes=99-99', 100), { start: 99, length: 1 });
    assert.deepEqual(sliceOf('bytes=90-200', 100), { start: 90, length: 10 });
    assert.deepEqual(sliceOf('bytes=90-', 100), { start: 90, length: 10 });
    assert.deepEqual(sliceOf('bytes=-10', 100), { start: 90, length: 10 });
    assert.deepEqual(sliceOf('bytes=-200', 100), { start: 0, length: 100 });
  });

  it('are the whole object when there is none, several or one that cannot be read', () => {
    for (const range of [
      undefined,
      '',
      'bytes=',
      'bytes=-',
      'bytes=a-b',
      'bytes=5-1',
      'bytes=0-1,3-4',
      'lines=1-2',
    ]) {
      assert.equal(sliceOf(range, 100), undefined);
    }
  });

  it('are refused when no byte of theirs exists', () => {
    for (const [range, size] of [
      ['bytes=100-', 100],
      ['bytes=100-200', 100],
      ['bytes=-0', 100],
      ['bytes=0-0', 0],
      ['bytes=-5', 0],
    ] as const) {
      assert.throws(() => sliceOf(range, size), { code: 'InvalidRange', status: 416 });
    }
  });
});
