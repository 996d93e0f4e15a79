import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/** What the proxy does with bytes that come from now on. */
type Conduct = 'pass' | 'hold uploads' | 'hold answers' | 'slow';

interface Link {
  client: Socket;
  gateway: Socket;
  /** What was not passed on, and to whom it goes. */
  held: { to: Socket; bytes: Buffer }[];
}

/** How late a slow gateway's answers are, ms. */
const SLOW_MS = 500;
const PUT = Buffer.from('PUT ');

/** Stands before the gateway on a port of its own, and can stop an upload half-way or keep its answer back. */
export class GatewayProxy {
  readonly #server: Server;
  readonly #gateway: URL;
  readonly #links = new Set<Link>();
  #conduct: Conduct = 'pass';
  #reached: () => void = () => undefined;

  private constructor(server: Server, gateway: URL) {
    this.#server = server;
    this.#gateway = gateway;
    server.on('connection', (client) => {
      this.#link(client);
    });
  }

  /** @param endpoint of the gateway, `http://host:port` */
  static async start(endpoint: string): Promise<GatewayProxy> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new GatewayProxy(server, new URL(endpoint));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Half of the next uploads' first bytes goes through, the rest does not. Resolves when such an upload has begun. */
  holdUploads(): Promise<void> {
    return this.#hold('hold uploads');
  }

  /** Objects are stored, but nobody is told. Resolves when the first answer to an upload is kept back. */
  holdAnswers(): Promise<void> {
    return this.#hold('hold answers');
  }

  /** Every answer comes half a second late. */
  slow(): void {
    this.#conduct = 'slow';
  }

  /** Passes on what is held, and everything from now on. */
  pass(): void {
    this.#conduct = 'pass';
    for (const link of this.#links) {
      for (const { to, bytes } of link.held.splice(0)) to.write(bytes);
    }
  }

  /** Ends all connections; what was held is gone. New ones are passed on. */
  reset(): void {
    this.#conduct = 'pass';
    for (const { client, gateway } of this.#links) {
      client.destroy();
      gateway.destroy();
    }
  }

  async close(): Promise<void> {
    this.reset();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #hold(conduct: Conduct): Promise<void> {
    this.#conduct = conduct;
    return new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  #link(client: Socket): void {
    const gateway = connect({
      host: this.#gateway.hostname,
      port: Number(this.#gateway.port),
      noDelay: true,
    });
    const link: Link = { client, gateway, held: [] };
    this.#links.add(link);
    let uploads = false;
    client.on('data', (bytes) => {
      const begins = bytes.subarray(0, PUT.length).equals(PUT);
      if (begins) uploads = true;
      if (this.#conduct !== 'hold uploads' || (!begins && link.held.length === 0)) {
        gateway.write(bytes);
        return;
      }
      const passed = begins ? Math.floor(bytes.length / 2) : 0;
      if (passed > 0) gateway.write(bytes.subarray(0, passed));
      link.held.push({ to: gateway, bytes: bytes.subarray(passed) });
      this.#reached();
    });
    gateway.on('data', (bytes) => {
      if (this.#conduct === 'slow') {
        setTimeout(() => client.write(bytes), SLOW_MS);
        return;
      }
      if (this.#conduct !== 'hold answers' || !uploads) {
        client.write(bytes);
        return;
      }
      link.held.push({ to: client, bytes });
      this.#reached();
    });
    for (const [one, other] of [
      [client, gateway],
      [gateway, client],
    ] as const) {
      // A connection that breaks is what this is about; its end is seen on 'close'.
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#links.delete(link);
        other.destroy();
      });
    }
  }
}
