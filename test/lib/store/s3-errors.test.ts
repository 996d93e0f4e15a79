import fc from 'fast-check';
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { S3BatchError } from '../../../lib/errors';
import { describePlace, storeError } from '../../../lib/store/s3-errors';
import { withoutSecrets } from '../../../lib/store/s3-failure';

const OPTIONS = {
  endpoint: new URL('https://ceph.example.org:8443'),
  region: 'us-east-1',
  credentials: {
    accessKeyId: 'ACCESS',
    secretAccessKey: 'very/secret+key',
    sessionToken: 'token-of-the-session',
  },
};
const TARGET = { bucket: 'records', key: 'a/b' };

const service = (name: string, status: number, more: object = {}): Error =>
  Object.assign(
    new Error(`the store's words for ${name}`),
    { name, $metadata: { httpStatusCode: status } },
    more,
  );
const network = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`connect ${code}`), { code }, more);

describe('errors of an S3 store', () => {
  const codeOf = (error: unknown, target: object = TARGET): string => storeError(error, OPTIONS, target).code;

  it('have a code for whatever a store answers', () => {
    for (const [name, status, code] of [
      ['NoSuchBucket', 404, 'BUCKET_MISSING'],
      ['NoSuchKey', 404, 'OBJECT_MISSING'],
      ['NotFound', 404, 'OBJECT_MISSING'],
      ['InvalidBucketName', 400, 'BUCKET_INVALID'],
      ['InvalidRange', 416, 'RANGE_INVALID'],
      ['AccessDenied', 403, 'ACCESS_DENIED'],
      ['Forbidden', 403, 'ACCESS_DENIED'],
      ['Unknown', 401, 'CREDENTIALS_INVALID'],
      ['InvalidAccessKeyId', 403, 'CREDENTIALS_INVALID'],
      ['SignatureDoesNotMatch', 403, 'CREDENTIALS_INVALID'],
      ['ExpiredToken', 400, 'CREDENTIALS_INVALID'],
      ['InvalidToken', 400, 'CREDENTIALS_INVALID'],
      ['RequestTimeTooSkewed', 403, 'CLOCK_SKEWED'],
      ['SlowDown', 503, 'STORE_BUSY'],
      ['ServiceUnavailable', 503, 'STORE_BUSY'],
      ['Unknown', 503, 'STORE_BUSY'],
      ['TooManyRequests', 429, 'STORE_BUSY'],
      ['ConditionalRequestConflict', 409, 'STORE_BUSY'],
      ['RequestTimeout', 400, 'STORE_TIMEOUT'],
      ['InternalError', 500, 'STORE_REFUSED'],
      ['Unknown', 502, 'STORE_REFUSED'],
      ['Unknown', 504, 'STORE_REFUSED'],
      ['MetadataTooLarge', 400, 'STORE_REFUSED'],
      ['PermanentRedirect', 301, 'STORE_REFUSED'],
      ['Unknown', 400, 'STORE_REFUSED'],
      ['MethodNotAllowed', 405, 'STORE_REFUSED'],
      ['SyntaxError', 200, 'STORE_PROTOCOL'],
    ] as const) {
      assert.equal(codeOf(service(name, status)), code, `${name} ${status}`);
    }
    const failed = service('PreconditionFailed', 412);
    assert.equal(codeOf(failed, { ...TARGET, condition: 'OBJECT_EXISTS' }), 'OBJECT_EXISTS');
    assert.equal(codeOf(failed, { ...TARGET, condition: 'OBJECT_CHANGED' }), 'OBJECT_CHANGED');
    assert.equal(codeOf(service('NotFound', 404), { bucket: 'records' }), 'BUCKET_MISSING');
  });

  it('have a code for whatever comes instead of an answer', () => {
    for (const [error, code] of [
      [network('ECONNREFUSED'), 'STORE_UNREACHABLE'],
      [network('ENOTFOUND'), 'STORE_UNREACHABLE'],
      [network('ECONNRESET', { name: 'TimeoutError' }), 'STORE_UNREACHABLE'],
      [network('EPIPE', { name: 'TimeoutError' }), 'STORE_UNREACHABLE'],
      [new AggregateError([network('ECONNREFUSED'), network('ENETUNREACH')]), 'STORE_UNREACHABLE'],
      [network('ETIMEDOUT', { name: 'TimeoutError' }), 'STORE_TIMEOUT'],
      [Object.assign(new Error('slow'), { name: 'TimeoutError' }), 'STORE_TIMEOUT'],
      [network('DEPTH_ZERO_SELF_SIGNED_CERT'), 'STORE_TLS'],
      [network('SELF_SIGNED_CERT_IN_CHAIN'), 'STORE_TLS'],
      [network('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'STORE_TLS'],
      [network('UNABLE_TO_GET_ISSUER_CERT_LOCALLY'), 'STORE_TLS'],
      [network('CERT_HAS_EXPIRED'), 'STORE_TLS'],
      [network('ERR_TLS_CERT_ALTNAME_INVALID'), 'STORE_TLS'],
      [network('ERR_SSL_WRONG_VERSION_NUMBER'), 'STORE_TLS'],
      [network('EPROTO'), 'STORE_TLS'],
      [network('HPE_INVALID_CONSTANT'), 'STORE_PROTOCOL'],
      [new TypeError('cannot read'), 'STORE_PROTOCOL'],
      ['a string', 'STORE_PROTOCOL'],
      [undefined, 'STORE_PROTOCOL'],
    ] as const) {
      assert.equal(codeOf(error), code, inspect(error));
    }
  });

  it('say what happened, where, in whose words and what to do', () => {
    const { message } = storeError(service('AccessDenied', 403), OPTIONS, {
      bucket: 'records',
      key: 'a\n"b"',
    });
    assert.match(
      message,
      /^The store denies access: object "a\\n\\"b\\"" in bucket "records" at https:\/\/ceph\.example\.org:8443/,
    );
    assert.match(
      message,
      /\(AccessDenied: the store's words for AccessDenied\)\. Allow these credentials s3:PutObject/,
    );
    assert.equal(describePlace({ region: 'eu-west-1' }, {}), 'AWS S3, region eu-west-1');
    const long = describePlace({ region: 'eu-west-1' }, { bucket: 'b', key: 'k'.repeat(1024) });
    assert.match(long, /^object "k{300}…" in bucket/);
    assert.equal(
      describePlace({ region: 'eu-west-1' }, { bucket: 'b' }),
      'bucket "b" at AWS S3, region eu-west-1',
    );
  });

  it('name the right region, and the reasons that stores give badly', () => {
    const message = (error: unknown): string => storeError(error, OPTIONS, TARGET).message;
    const redirect = { $response: { headers: { 'x-amz-bucket-region': 'eu-central-1' } } };
    assert.match(
      message(service('PermanentRedirect', 301, redirect)),
      /in region eu-central-1.*set.*eu-central-1 \(it is us-east-1\)/is,
    );
    assert.match(
      message(service('AuthorizationHeaderMalformed', 400, { Region: 'eu-north-1' })),
      /region eu-north-1/,
    );
    assert.match(
      message(service('TemporaryRedirect', 307)),
      /another region or endpoint than region us-east-1/,
    );
    assert.match(message(service('MetadataTooLarge', 400)), /attributes are larger.*2 KB/i);
    assert.match(message(service('Unknown', 400)), /status 400.*too large attributes.*Ceph/);
    const unreadable = new SyntaxError('Deserialization error: inspect the hidden field {error}.$response');
    assert.doesNotMatch(message(Object.assign(unreadable, { $metadata: { httpStatusCode: 502 } })), /hidden/);
    assert.match(message(service('InternalError', 500)), /status 500.*InternalError/);
  });

  it('stay what they are when they are already this', () => {
    const error = new S3BatchError('ABORTED', 'x');
    assert.equal(storeError(error, OPTIONS, TARGET), error);
  });

  it('hold nothing of the request or of the secrets', () => {
    const request = {
      headers: {
        authorization: 'AWS4-HMAC-SHA256 Signature=abc',
        'x-amz-security-token': 'token-of-the-session',
      },
    };
    const echo = `you sent very/secret+key and token-of-the-session with Signature=${'ab12'.repeat(16)}, ${'T0ken'.repeat(30)}`;
    const raw = Object.assign(new Error(echo), {
      name: 'AccessDenied',
      $metadata: { httpStatusCode: 403, requestId: 'token-of-the-session' },
      $response: { statusCode: 403, headers: {}, body: { req: request } },
      StringToSign: 'AWS4-HMAC-SHA256',
      config: OPTIONS,
    });
    const error = storeError(raw, OPTIONS, TARGET);
    const shown = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
    for (const secret of ['very/secret+key', 'token-of-the-session', 'ab12ab12', 'T0kenT0ken', 'HMAC']) {
      assert.ok(!shown.includes(secret), shown);
    }
    assert.match(error.message, /you sent \*\*\* and \*\*\*/);
    assert.ok(error.cause instanceof Error);
    assert.deepEqual(Object.fromEntries(Object.entries(error.cause)), {
      name: 'AccessDenied',
      status: 403,
      requestId: '***',
    });
  });

  it('repeat texts of a store as one short line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1000 }), (text) => {
        const line = withoutSecrets(text, ['secret']);
        assert.ok(line.length <= 300);
        assert.doesNotMatch(line, /\p{Cc}/u);
      }),
    );
  });
});
