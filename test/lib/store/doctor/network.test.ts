import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import type { S3StoreOptions } from '../../../../lib/store/s3-store';
import { freePort } from '../../../support/free-port';
import { makeCertificate } from '../certificate';
import { BUCKET, CREDENTIALS, startEmbedded, type Embedded } from '../embedded';
import { examined, type Report } from './support';

const authority = makeCertificate({ commonName: 'authority' });
const good = makeCertificate({ commonName: 'store', hosts: ['127.0.0.1'], issuer: authority, days: 100 });

describe('the connection doctor on the network', () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  const run = (endpoint: string, changes: Partial<S3StoreOptions> = {}): Promise<Report> =>
    examined(
      {
        endpoint,
        region: 'us-east-1',
        pathStyle: true,
        credentials: CREDENTIALS,
        connectTimeoutMs: 1000,
        ...changes,
      },
      { bucket: BUCKET, limits: { check: 3000 } },
    );

  async function serve(tls?: object): Promise<Embedded> {
    const embedded = await startEmbedded(tls === undefined ? {} : { tls });
    ends.push(() => embedded.stop());
    return embedded;
  }

  /** A server that is none of S3's. */
  async function raw(take: (socket: Socket) => void): Promise<string> {
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      take(socket);
    });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    ends.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('tells a host that nobody knows', async () => {
    const report = await run('http://store.invalid:9000');
    assert.equal(report.of('dns').verdict, 'failed');
    assert.ok(['hostUnknown', 'nameServerSilent'].includes(report.of('dns').finding));
    assert.equal(report.name('connect'), 'skipped because');
    assert.equal(report.name('cleanup'), 'ok cleanedUp');
  });

  it('tells a port that refuses', async () => {
    const report = await run(`http://127.0.0.1:${await freePort()}`);
    assert.equal(report.name('dns'), 'ok hostIsAddress');
    assert.equal(report.name('connect'), 'failed connectionRefused');
    assert.equal(report.name('credentials'), 'skipped because');
  });

  it('tells a server that takes connections and never answers', async () => {
    const report = await run(await raw(() => undefined));
    assert.equal(report.name('connect'), 'ok connected');
    assert.equal(report.name('answer'), 'failed timeout');
    assert.ok(report.of('answer').ms < 10_000);
    assert.equal(report.name('put'), 'skipped because');
  });

  it('tells a server that hangs up', async () => {
    const report = await run(await raw((socket) => socket.destroy()));
    assert.equal(report.name('answer'), 'failed answerBroken');
  });

  it('tells a server that speaks something else', async () => {
    const report = await run(await raw((socket) => socket.end('220 mail.example.org ESMTP\r\n')));
    assert.equal(report.name('answer'), 'failed answerBroken');
  });

  it('tells a web server that is no store', async () => {
    const page = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\r\n<html></html';
    const report = await run(await raw((socket) => socket.once('data', () => socket.end(page))));
    assert.equal(report.name('answer'), 'warning answersUnlikeS3');
    assert.equal(report.name('clock'), 'warning clockUnknown');
    assert.equal(report.name('credentials'), 'failed notS3Answer');
  });

  it('says what no TLS means, but not on this machine', async () => {
    const { server } = await serve();
    assert.equal((await run(server.url)).name('tls'), 'ok tlsNeedless');
  });

  describe('over TLS', () => {
    it('finds a certificate that is trusted, and for how long', async () => {
      const { server } = await serve(good);
      const report = await run(server.url, { tls: { ca: authority.cert } });
      assert.equal(report.name('tls'), 'ok tlsFine');
      const { protocol, count } = report.of('tls').values ?? {};
      assert.equal(protocol, 'TLSv1.3');
      assert.equal(count, 99);
      // Over TLS the signature need not cover the body, and the rest goes on as without.
      assert.equal(report.name('bucket'), 'failed bucketMissing');
    });

    it('goes through to the end', async () => {
      const { server } = await serve(good);
      const report = await examined(
        {
          endpoint: server.url,
          region: 'us-east-1',
          pathStyle: true,
          credentials: CREDENTIALS,
          tls: { ca: authority.cert },
        },
        { bucket: BUCKET, createBucket: true },
      );
      assert.deepEqual(report.with('failed'), []);
      assert.equal(report.name('checksums'), 'ok checksumsBoth');
    });

    it('warns of one that ends soon', async () => {
      const soon = makeCertificate({ commonName: 'store', hosts: ['127.0.0.1'], issuer: authority, days: 3 });
      const { server } = await serve(soon);
      const report = await run(server.url, { tls: { ca: authority.cert } });
      assert.equal(report.name('tls'), 'warning certificateEndsSoon');
      assert.equal(report.of('tls').values?.count, 2);
    });

    it('warns when it is not checked', async () => {
      const { server } = await serve(good);
      assert.equal(
        (await run(server.url, { tls: { rejectUnauthorized: false } })).name('tls'),
        'warning tlsUnchecked',
      );
    });

    const wrong: [string, object, string, RegExp][] = [
      [
        'signed by itself',
        makeCertificate({ commonName: 'self', hosts: ['127.0.0.1'] }),
        'certificateSelfSigned',
        /subject self; issuer self/,
      ],
      ['of an unknown authority', good, 'certificateUntrusted', /issuer authority/],
      [
        'that has expired',
        makeCertificate({ commonName: 'old', hosts: ['127.0.0.1'], issuer: authority, days: -1 }),
        'certificateExpired',
        /subject old; .*valid .* to /,
      ],
      [
        'for another host',
        makeCertificate({ commonName: 'x', hosts: ['store.example.org'], issuer: authority }),
        'certificateOtherHost',
        /for DNS:store\.example\.org/,
      ],
    ];
    for (const [what, certificate, finding, words] of wrong) {
      it(`names a certificate ${what}`, async () => {
        const { server } = await serve(certificate);
        const ca = finding === 'certificateUntrusted' ? {} : { tls: { ca: authority.cert } };
        const report = await run(server.url, ca);
        assert.equal(report.name('tls'), `failed ${finding}`);
        assert.match(report.of('tls').detail ?? '', words);
        assert.equal(report.name('answer'), 'skipped because');
      });
    }

    it('tells that a certificate of the client is wanted', async () => {
      const { server } = await serve({
        ...good,
        ca: authority.cert,
        requestCert: true,
        rejectUnauthorized: true,
      });
      const without = await run(server.url, { tls: { ca: authority.cert } });
      assert.ok(
        without.findings.some(
          ({ finding }) => finding === 'clientCertificateWanted' || finding === 'answerBroken',
        ),
        JSON.stringify(without.findings),
      );
      const client = makeCertificate({ commonName: 'client', hosts: ['client'], issuer: authority });
      const tls = { ca: authority.cert, cert: client.cert, key: client.key };
      assert.equal((await run(server.url, { tls })).name('answer'), 'ok answers');
    });

    it('finds that the scheme should be the other one, and offers it', async () => {
      const secure = await serve(good);
      const plain = await serve();
      const asHttps = plain.server.url.replace('http:', 'https:');
      const first = await run(asHttps);
      assert.equal(first.name('tls'), 'failed tlsPlainPort');
      assert.deepEqual(first.ended.settings, { endpoint: plain.server.url });
      const asHttp = secure.server.url.replace('https:', 'http:');
      const second = await run(asHttp);
      assert.equal(second.name('answer'), 'failed answersTls');
      assert.deepEqual(second.ended.settings, { endpoint: secure.server.url });
    });
  });
});
