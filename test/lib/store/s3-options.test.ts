import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { S3Store, type S3StoreOptions } from '../../../lib/store/s3-store';
import { makeCertificate } from './certificate';

const GOOD: S3StoreOptions = { region: 'us-east-1', pathStyle: true };

describe('options of an S3 store', () => {
  const refused = (options: Partial<S3StoreOptions>, message: RegExp): void => {
    assert.throws(
      () => new S3Store({ ...GOOD, ...options }),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, 'CONNECTION_INVALID');
        assert.match(error.message, message);
        return true;
      },
    );
  };

  it('take what stores have', () => {
    for (const endpoint of [
      undefined,
      '',
      'http://127.0.0.1:8000',
      'https://s3.example.org/',
      'http://[::1]:80',
      'HTTP://Host',
    ]) {
      assert.ok(new S3Store({ ...GOOD, ...(endpoint !== undefined && { endpoint }) }));
    }
    for (const region of ['default', 'eu-central-1', 'auto', 'x'])
      assert.ok(new S3Store({ ...GOOD, region }));
    assert.ok(
      new S3Store({ ...GOOD, role: { arn: 'arn:aws:iam::123456789012:role/path/name', externalId: 'x' } }),
    );
    assert.ok(new S3Store({ ...GOOD, role: { arn: 'arn:aws:iam:::role/ceph', sessionName: 'node-red' } }));
    assert.ok(new S3Store({ ...GOOD, connectTimeoutMs: 1, requestTimeoutMs: 2 ** 31 - 1, maxSockets: 1 }));
    const { cert, key } = makeCertificate({ commonName: 'client' });
    assert.ok(new S3Store({ ...GOOD, tls: { ca: cert, cert, key: Buffer.from(key), alpn: 'http/1.1' } }));
  });

  it('refuse an endpoint that is none', () => {
    refused({ endpoint: 'host' }, /not a URL.*https:\/\/host/);
    refused({ endpoint: '127.0.0.1:8000' }, /not a URL/);
    refused({ endpoint: 'localhost:8000' }, /neither http nor https/);
    refused({ endpoint: 's3://bucket' }, /neither http nor https/);
    refused({ endpoint: 'http://host/bucket' }, /path or a query/);
    refused({ endpoint: 'http://host?x=1' }, /path or a query/);
    refused({ endpoint: 'http://host/#x' }, /path or a query/);
  });

  it('refuse an endpoint with a password in it, without repeating it', () => {
    for (const endpoint of ['http://user:hunter2@host', 'http://hunter2@host', 'http://:hunter2@host/path']) {
      assert.throws(
        () => new S3Store({ ...GOOD, endpoint }),
        (error) => {
          assert.match(inspect(error), /CONNECTION_INVALID/);
          assert.doesNotMatch(inspect(error, { depth: 20 }), /hunter2/);
          return true;
        },
      );
    }
  });

  it('refuse a region that is none', () => {
    refused({ region: '' }, /region is empty/);
    for (const region of ['eu central', 'a/b', 'x'.repeat(64), '-a', 'a\n'])
      refused({ region }, /no region's name/);
  });

  it('refuse keys that were copied badly, without repeating them', () => {
    const accessKeyId = 'ACCESS';
    refused({ credentials: { accessKeyId: '', secretAccessKey: 'x' } }, /access key ID is empty/);
    refused({ credentials: { accessKeyId, secretAccessKey: '' } }, /secret access key is empty/);
    refused(
      { credentials: { accessKeyId, secretAccessKey: 'x', sessionToken: '' } },
      /session token is empty/,
    );
    for (const secretAccessKey of ['hunter2\n', ' hunter2', 'hunter2ü']) {
      refused({ credentials: { accessKeyId, secretAccessKey } }, /^(?!.*hunter2).*enter it again/s);
    }
  });

  it('refuse a role that is none', () => {
    for (const arn of ['', 'role', 'arn:aws:iam::123:user/x', 'arn:aws:iam::123:role/', 'arn:aws:s3:::x']) {
      refused({ role: { arn } }, /not the ARN of a role/);
    }
    refused({ role: { arn: 'arn:aws:iam::123:role/x', sessionName: 'a b' } }, /session name/);
  });

  it('refuse TLS settings that cannot be used', () => {
    const { cert, key } = makeCertificate({ commonName: 'client' });
    const other = makeCertificate({ commonName: 'other' });
    refused({ tls: { cert } }, /without its private key/);
    refused({ tls: { key } }, /without its private key/);
    refused({ tls: { ca: 'no certificate', cert, key: other.key } }, /cannot be used/);
    refused({ tls: { cert, key: 'no key' } }, /cannot be used.*passphrase/);
  });

  it('refuse numbers that are none', () => {
    for (const value of [0, -1, 0.5, NaN, Infinity, 2 ** 31]) {
      refused({ connectTimeoutMs: value }, /connect timeout/);
      refused({ requestTimeoutMs: value }, /request timeout/);
      refused({ maxSockets: value }, /number of connections/);
    }
  });

  it('are not shown by an inspection of the store', () => {
    const credentials = { accessKeyId: 'ACCESS', secretAccessKey: 'hunter2', sessionToken: 'hunter3' };
    const store = new S3Store({ ...GOOD, credentials });
    assert.doesNotMatch(inspect(store, { depth: 20, showHidden: true }), /hunter|ACCESS/);
    assert.doesNotMatch(JSON.stringify(store), /hunter|ACCESS/);
  });
});
