import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { S3Store, type S3StoreOptions, type S3TlsOptions } from '../../../lib/store/s3-store';
import { makeCertificate } from './certificate';
import { BUCKET, CREDENTIALS, startEmbedded, type Embedded } from './embedded';
import { assertNoSecrets, PLAIN } from './support';

describe('an S3 store over TLS', () => {
  const running: (Embedded | S3Store)[] = [];
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) {
      if (one instanceof S3Store) one.destroy();
      else await one.stop();
    }
  });

  const authority = makeCertificate({ commonName: 'authority' });
  const good = makeCertificate({
    commonName: 'store',
    hosts: ['127.0.0.1', 'store.example.org'],
    issuer: authority,
  });

  async function serve(tls: object): Promise<Embedded> {
    const embedded = await startEmbedded({ tls });
    running.push(embedded);
    return embedded;
  }
  function connect({ options }: Embedded, tls?: S3TlsOptions, more: Partial<S3StoreOptions> = {}): S3Store {
    const store = new S3Store({ ...options, ...(tls && { tls }), ...more });
    running.push(store);
    return store;
  }
  /** A call that shows whether the connection works: the bucket is not there, and the store says so. */
  const works = (store: S3Store): Promise<void> =>
    assert.rejects(store.head('none', 'o'), { code: 'BUCKET_MISSING' });
  const fails = (store: S3Store, words: RegExp): Promise<void> =>
    assert.rejects(store.head('none', 'o'), (error: { code: string; message: string }) => {
      assert.equal(error.code, 'STORE_TLS', error.message);
      assert.match(error.message, words);
      assert.match(error.message, /CA certificate/);
      assertNoSecrets(error);
      return true;
    });

  it('works with the certificate of the authority', async () => {
    const embedded = await serve(good);
    await works(connect(embedded, { ca: authority.cert }));
    await works(connect(embedded, { ca: [Buffer.from(good.cert), authority.cert] }));
  });

  it('carries large objects', async () => {
    const embedded = await serve(good);
    const store = connect(embedded, { ca: authority.cert });
    const admin = new S3Client({
      endpoint: embedded.server.url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: CREDENTIALS,
      requestHandler: { httpsAgent: { ca: authority.cert } },
    });
    await admin.send(new CreateBucketCommand({ Bucket: BUCKET }));
    admin.destroy();
    const body = randomBytes(20_000_000);
    await store.put(BUCKET, 'o', body, PLAIN);
    const { bytes } = await store.getRange(BUCKET, 'o', { offset: 0, length: body.length });
    assert.ok(bytes.equals(body));
  });

  it('refuses a certificate that nobody vouches for', async () => {
    const embedded = await serve(good);
    await fails(connect(embedded), /UNABLE_TO_VERIFY_LEAF_SIGNATURE|unable to verify/);
    const other = makeCertificate({ commonName: 'other authority' });
    await fails(connect(embedded, { ca: other.cert }), /UNABLE_TO/);
    const self = makeCertificate({ commonName: 'self', hosts: ['127.0.0.1'] });
    const signedByItself = await serve(self);
    await fails(connect(signedByItself), /SELF_SIGNED/);
    await works(connect(signedByItself, { ca: self.cert }));
    await works(connect(embedded, { rejectUnauthorized: false }));
  });

  it('refuses a certificate for another host, unless that is the name to go by', async () => {
    const elsewhere = makeCertificate({ commonName: 'x', hosts: ['store.example.org'], issuer: authority });
    const embedded = await serve(elsewhere);
    await fails(connect(embedded, { ca: authority.cert }), /ERR_TLS_CERT_ALTNAME_INVALID/);
    await works(connect(embedded, { ca: authority.cert, servername: 'store.example.org' }));
  });

  it('refuses a certificate that has expired', async () => {
    const old = makeCertificate({ commonName: 'x', hosts: ['127.0.0.1'], issuer: authority, days: -1 });
    await fails(connect(await serve(old), { ca: authority.cert }), /CERT_HAS_EXPIRED/);
  });

  it('shows a certificate of its own to a store that wants one', async () => {
    const embedded = await serve({
      ...good,
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const client = makeCertificate({ commonName: 'client', hosts: ['client'], issuer: authority });
    await works(connect(embedded, { ca: authority.cert, cert: client.cert, key: client.key }));
    await assert.rejects(
      connect(embedded, { ca: authority.cert }).head('none', 'o'),
      (error: { code: string }) => ['STORE_TLS', 'STORE_UNREACHABLE'].includes(error.code),
    );
  });

  it('offers the protocol that it is told to', async () => {
    const embedded = await serve({ ...good, ALPNProtocols: ['http/1.1'] });
    await works(connect(embedded, { ca: authority.cert, alpn: 'http/1.1' }));
    await fails(connect(embedded, { ca: authority.cert, alpn: 'mqtt' }), /ALPN|alert|protocol/i);
  });

  it('is told apart from a store without TLS', async () => {
    const secure = await serve(good);
    const plain = await startEmbedded();
    running.push(plain);
    const swapped = (embedded: Embedded, from: string, to: string): Partial<S3StoreOptions> => ({
      endpoint: embedded.server.url.replace(from, to),
    });
    await fails(connect(plain, undefined, swapped(plain, 'http:', 'https:')), /EPROTO|SSL|wrong version/);
    await assert.rejects(connect(secure, undefined, swapped(secure, 'https:', 'http:')).head('none', 'o'), {
      code: 'STORE_UNREACHABLE',
    });
  });
});
