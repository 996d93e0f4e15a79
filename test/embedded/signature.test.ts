import assert from 'node:assert/strict';
import { decodeAwsChunked } from '../../embedded/s3-server/chunked';
import { Query } from '../../embedded/s3-server/query';
import type { S3Request } from '../../embedded/s3-server/request';
import { verifySignature } from '../../embedded/s3-server/signature';

// The examples of docs.aws.amazon.com/AmazonS3/latest/API: sig-v4-header-based-auth.html, sigv4-streaming.html
// and sigv4-query-string-auth.html.
const KEYS = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
};
const NOW = Date.UTC(2013, 4, 24);
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const HOST = 'examplebucket.s3.amazonaws.com';

function example(
  method: string,
  target: string,
  headers: Record<string, string>,
  signature?: string,
): S3Request {
  const [rawPath = '', query = ''] = target.split('?');
  const all: Record<string, string> = { host: HOST, ...headers };
  if (signature !== undefined) {
    all['x-amz-date'] = '20130524T000000Z';
    const signed = Object.keys(all).sort().join(';');
    all.authorization = `AWS4-HMAC-SHA256 Credential=${KEYS.accessKey}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signed},Signature=${signature}`;
  }
  return {
    operation: 'Unknown',
    method,
    rawPath,
    query: new Query(query),
    headers: all,
    rawHeaders: Object.entries(all).flat(),
    bucket: '',
    key: '',
  };
}

async function* pieces(body: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += size) yield await Promise.resolve(body.subarray(at, at + size));
}

describe('signatures of the embedded S3 server', () => {
  const examples: [string, S3Request][] = [
    [
      'GET with a range',
      example(
        'GET',
        '/test.txt',
        { range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY },
        'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
      ),
    ],
    [
      'PUT',
      example(
        'PUT',
        '/test%24file.text',
        {
          date: 'Fri, 24 May 2013 00:00:00 GMT',
          'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
          'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        },
        '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
      ),
    ],
    [
      'GET of a subresource',
      example(
        'GET',
        '/?lifecycle',
        { 'x-amz-content-sha256': EMPTY },
        'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
      ),
    ],
    [
      'listing',
      example(
        'GET',
        '/?max-keys=2&prefix=J',
        { 'x-amz-content-sha256': EMPTY },
        '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
      ),
    ],
    [
      'presigned address',
      example(
        'GET',
        '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
          '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
          '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
        {},
      ),
    ],
  ];
  for (const [name, request] of examples) {
    it(`accepts the example of S3's documentation: ${name}`, () => {
      assert.match(verifySignature(request, KEYS, NOW).signature, /^[0-9a-f]{64}$/);
    });

    it(`refuses it with anything changed: ${name}`, () => {
      const changed = [
        { ...request, method: 'DELETE' },
        { ...request, rawPath: `${request.rawPath}x` },
        {
          ...request,
          query: new Query(`${request.query.pairs.map((pair) => pair.join('=')).join('&')}&x=1`),
        },
        { ...request, rawHeaders: request.rawHeaders.map((text) => (text === HOST ? 'elsewhere' : text)) },
      ];
      for (const other of changed) {
        assert.throws(() => verifySignature(other, KEYS, NOW), {
          code: 'SignatureDoesNotMatch',
          status: 403,
        });
      }
      assert.throws(() => verifySignature(request, { ...KEYS, secretKey: 'x' }, NOW), {
        code: 'SignatureDoesNotMatch',
      });
      assert.throws(() => verifySignature(request, { ...KEYS, accessKey: 'x' }, NOW), {
        code: 'InvalidAccessKeyId',
      });
      assert.throws(() => verifySignature(request, { ...KEYS, region: 'eu-west-1' }, NOW), {
        code: 'AuthorizationHeaderMalformed',
        details: { Region: 'eu-west-1' },
      });
    });
  }

  it('refuses a clock that is more than 15 minutes off, and a presigned address that has expired', () => {
    const minute = 60_000;
    const [, byHeader] = examples[0]!;
    for (const off of [-15, 15]) verifySignature(byHeader, KEYS, NOW + off * minute);
    for (const off of [-15.1, 15.1]) {
      assert.throws(() => verifySignature(byHeader, KEYS, NOW + off * minute), {
        code: 'RequestTimeTooSkewed',
      });
    }
    const [, presigned] = examples[4]!;
    verifySignature(presigned, KEYS, NOW + 1440 * minute);
    assert.throws(() => verifySignature(presigned, KEYS, NOW + 1441 * minute), { code: 'AccessDenied' });
    assert.throws(() => verifySignature(presigned, KEYS, NOW - 16 * minute), {
      code: 'RequestTimeTooSkewed',
    });
  });

  it('refuses what is unsigned, signed otherwise or malformed', () => {
    const [, good] = examples[0]!;
    const authorization = good.headers.authorization!;
    const withAuthorization = (text: string): S3Request => ({
      ...good,
      rawHeaders: good.rawHeaders.map((value) => (value === authorization ? text : value)),
    });
    assert.throws(() => verifySignature(example('GET', '/', {}), KEYS, NOW), { code: 'AccessDenied' });
    for (const [text, code] of [
      ['AWS AKIAIOSFODNN7EXAMPLE:x', 'InvalidRequest'],
      ['AWS4-HMAC-SHA256 Credential=x', 'AuthorizationHeaderMalformed'],
      [authorization.replace('/20130524', ''), 'AuthorizationHeaderMalformed'],
      [authorization.replace('host;', ''), 'AccessDenied'],
      [authorization.replace(';x-amz-date', ''), 'AccessDenied'],
      [authorization.replace(/Signature=.*/, 'Signature=short'), 'SignatureDoesNotMatch'],
      [authorization.replace('20130524', '20130523'), 'SignatureDoesNotMatch'],
    ] as const) {
      assert.throws(() => verifySignature(withAuthorization(text), KEYS, NOW), { code }, text);
    }
  });

  describe('of chunks', () => {
    const request = example(
      'PUT',
      '/examplebucket/chunkObject.txt',
      {
        host: 's3.amazonaws.com',
        'content-encoding': 'aws-chunked',
        'content-length': '66824',
        'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
        'x-amz-decoded-content-length': '66560',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
    );
    const chunk = (length: number, signature: string): string =>
      `${length.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(length)}\r\n`;
    const body =
      chunk(65536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648') +
      chunk(1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497') +
      chunk(0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9');
    const decode = async (text: string, size: number): Promise<Buffer> => {
      const decoded: Buffer[] = [];
      const verified = verifySignature(request, KEYS, NOW);
      for await (const piece of decodeAwsChunked(pieces(Buffer.from(text), size), verified, new Map())) {
        decoded.push(piece);
      }
      return Buffer.concat(decoded);
    };

    it("decodes the example of S3's documentation, however it is cut", async () => {
      assert.equal(body.length, 66824);
      for (const size of [1, 7, 1000, 65_536, 100_000]) {
        assert.equal((await decode(body, size)).toString(), 'a'.repeat(66560));
      }
    });

    it('refuses a chunk that was changed, and a body that ends early or is no such body', async () => {
      await assert.rejects(decode(body.replace('aaaa', 'aaba'), 1000), { code: 'SignatureDoesNotMatch' });
      await assert.rejects(decode(body.replace('a288648', 'a288649'), 1000), {
        code: 'SignatureDoesNotMatch',
      });
      for (const end of [0, 3, 500, 65_700, body.length - 3]) {
        await assert.rejects(decode(body.slice(0, end), 1000), { code: 'IncompleteBody' }, `ends at ${end}`);
      }
      await assert.rejects(decode('a'.repeat(20_000), 1000), { code: 'IncompleteBody' });
      await assert.rejects(decode(body.replace('400;', '401;'), 1000), (error: { code: string }) =>
        ['IncompleteBody', 'SignatureDoesNotMatch'].includes(error.code),
      );
    });
  });
});
