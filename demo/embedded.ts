import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { Node, NodeAPI } from 'node-red';

import { type S3Server, startS3Server } from '../embedded/s3-server';
import { S3Store } from '../lib/store/s3-store';

/** A node of a flow file. */
export interface FlowNode {
  id: string;
  type: string;
  [property: string]: unknown;
}

/** What the demo uses of Node-RED when it runs inside this process. */
export interface NodeRed {
  init(server: unknown, settings: object): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  httpAdmin: unknown;
  hooks: NodeAPI['hooks'];
  runtime: { flows: { setFlows(options: object): Promise<unknown> }; events: NodeAPI['events'] };
  nodes: { getNode(id: string): Node | null };
}

export interface NodeRedServer {
  red: NodeRed;
  port: number;
  stop: () => Promise<void>;
}

/** The whole plant in one process: an MQTT broker, an S3 server, and Node-RED between them. */
export interface Plant {
  red: NodeRed;
  s3: S3Server;
  store: S3Store;
  mqttUrl: string;
  editorUrl: string;
  createBucket(name: string): Promise<void>;
  /** Resolves when a client has subscribed since the call. */
  subscribed(): Promise<void>;
  stop(): Promise<void>;
}

const ROOT = path.resolve(__dirname, '..', '..');
const KEYS = { accessKey: 'demo', secretKey: 'demo-secret-key', region: 'us-east-1' };

/** The flow of an example of the Import menu. */
export async function exampleFlow(name: string): Promise<FlowNode[]> {
  return JSON.parse(await readFile(path.join(ROOT, 'examples', `${name}.json`), 'utf8')) as FlowNode[];
}

/**
 * Starts everything on 127.0.0.1, in a folder of its own that `stop` removes.
 * @param ports 0: any free port
 */
export async function startPlant(ports: { editor: number; mqtt: number; s3: number }): Promise<Plant> {
  const folder = await mkdtemp(path.join(tmpdir(), 's3-batch-demo-'));
  const s3 = await startS3Server({ folder: path.join(folder, 's3'), port: ports.s3, ...KEYS });
  const store = new S3Store({
    endpoint: s3.url,
    region: KEYS.region,
    pathStyle: true,
    credentials: { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey },
    connectTimeoutMs: 5000,
    requestTimeoutMs: 30_000,
  });
  const broker = await startBroker(ports.mqtt);
  const editor = await startNodeRed(path.join(folder, 'node-red'), ports.editor);
  return {
    red: editor.red,
    s3,
    store,
    mqttUrl: `mqtt://127.0.0.1:${broker.port}`,
    editorUrl: `http://127.0.0.1:${editor.port}/`,
    createBucket: (name) => createBucket(s3.url, name),
    subscribed: broker.subscribed,
    stop: async () => {
      await editor.stop();
      await broker.stop();
      store.destroy();
      await s3.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Deploys a flow whose broker and connection are the plant's. */
export async function deploy(plant: Plant, flow: readonly FlowNode[]): Promise<void> {
  const { red, s3, mqttUrl } = plant;
  const flows = flow.map((node) => {
    if (node.type === 'mqtt-broker') return { ...node, broker: '127.0.0.1', port: new URL(mqttUrl).port };
    if (node.type !== 's3-connection') return node;
    const credentials = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey };
    return { ...node, endpoint: s3.url, credentials };
  });
  const started = once(red.runtime.events, 'flows:started');
  await red.runtime.flows.setFlows({ flows: { flows }, deploymentType: 'full', req: {} });
  await started;
}

export interface Broker {
  port: number;
  subscribed: () => Promise<void>;
  stop: () => Promise<void>;
}

async function createBucket(endpoint: string, name: string): Promise<void> {
  const credentials = { accessKeyId: KEYS.accessKey, secretAccessKey: KEYS.secretKey };
  const client = new S3Client({ endpoint, region: KEYS.region, forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
}

/** An MQTT broker of this process on 127.0.0.1. @param port 0: any free one */
export async function startBroker(port: number): Promise<Broker> {
  const { Aedes } = await import('aedes');
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    subscribed: async () => {
      await once(broker, 'subscribe');
    },
    stop: () =>
      new Promise<void>((resolve) => {
        broker.close(() => {
          server.close(() => {
            resolve();
          });
        });
      }),
  };
}

/** Node-RED in this process, with the package as it would be after an installation. */
export async function startNodeRed(userDir: string, port: number): Promise<NodeRedServer> {
  // Installed like a package from the palette, so that its nodes, icons, help and examples are where users find them.
  const modules = path.join(userDir, 'node_modules');
  await mkdir(modules, { recursive: true });
  await symlink(ROOT, path.join(modules, 'node-red-contrib-s3-batch'), 'dir');

  const { default: red } = (await import('node-red')) as unknown as { default: NodeRed };
  // The handler is asked for at each request: Node-RED makes it only while it starts.
  const server = createHttpServer((request, response) => {
    (red.httpAdmin as (request: unknown, response: unknown) => void)(request, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  red.init(server, {
    userDir,
    flowFile: 'flows.json',
    httpNodeRoot: '/api',
    credentialSecret: 'demo',
    uiHost: '127.0.0.1',
    functionGlobalContext: {},
    telemetry: { enabled: false, updateNotification: false },
    editorTheme: { tours: false },
    logging: { console: { level: 'error', metrics: false, audit: false } },
  });
  await red.start();
  return {
    red,
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      await red.stop();
      server.closeAllConnections();
      server.close();
    },
  };
}
