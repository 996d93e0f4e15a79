import type { Request, Response } from 'express';
import type { Node, NodeAPI } from 'node-red';

import { examine, type DoctorEvent, type Examination } from '../../lib/store/doctor';
import type { S3StoreOptions } from '../../lib/store/s3-store';
import { optionsOf, type TlsNode } from './connection-options';
import type { ConnectionCredentials, ConnectionSettings } from './connection-settings';
import { PLACEHOLDER, type DoctorRequest } from './doctor-request';
import type { ConnectionNode } from './types';

/** Examinations at a time, of whatever connections. */
const MOST_RUNS = 3;

type DeployedConnection = ConnectionNode & Node<Partial<ConnectionCredentials>>;
type Problem = Extract<DoctorEvent, { event: 'found' }>;

/**
 * The connection doctor's side of the runtime: examines what stands in an open dialogue, and sends what it finds as
 * newline-delimited JSON while it goes on.
 *
 * Who may use it: it speaks to any address that the form names, from the machine of Node-RED and with the access that
 * is stored there. A flow does the same once it is deployed, so it needs the right to deploy beside the right to write
 * connections. Then it gives nobody anything that he has not got.
 *
 * Where stored keys go: the editor has only a placeholder of the secret access key and of the session token. They are
 * used here, and only for the host that they were deployed for, never over plain HTTP where that was HTTPS. A signature
 * does not tell the secret, but it can be used to guess a weak one, and the session token goes over the wire as it is.
 * So one mistyped host, or one press of a button on a form that somebody else has prepared, must not send them to a
 * stranger; whoever means it enters them again. Keys of the default chain are nobody's in particular: they go where a
 * flow of this machine may send them, that is, anywhere.
 */
export function serveDoctor(RED: NodeAPI): void {
  const running = new Set<string>();
  RED.httpAdmin.post(
    '/s3-batch/doctor/:id',
    RED.auth.needsPermission('flows.write'),
    RED.auth.needsPermission('s3-connection.write'),
    (request, response) => {
      const id = String(request.params.id);
      const wanted = readRequest(request);
      if (wanted === undefined) {
        response.sendStatus(400);
        return;
      }
      if (running.has(id) || running.size >= MOST_RUNS) {
        response.sendStatus(409);
        return;
      }
      running.add(id);
      run(RED, id, wanted, response)
        .catch((error: unknown) => {
          // Nothing is expected to come here; what it is may hold anything, so only its class is told.
          RED.log.error(
            `s3-connection: the doctor failed: ${error instanceof Error ? error.name : typeof error}`,
          );
        })
        .finally(() => {
          running.delete(id);
          response.end();
        });
    },
  );
}

async function run(RED: NodeAPI, id: string, wanted: DoctorRequest, response: Response): Promise<void> {
  const closed = new AbortController();
  response.once('close', () => closed.abort());
  // A client that goes away is no failure of ours.
  response.on('error', () => undefined);
  response.writeHead(200, {
    'Content-Type': 'application/x-ndjson; charset=utf-8',
    'Cache-Control': 'no-store, no-transform',
    // nginx would keep the lines until there are enough of them.
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  const report = (event: DoctorEvent): void => {
    if (!response.destroyed && !response.writableEnded) response.write(`${JSON.stringify(event)}\n`);
  };
  const { options, problems, signed } = prepare(RED, id, wanted);
  for (const problem of problems) report(problem);
  const { bucket, createBucket } = wanted;
  const examination: Examination = { bucket, createBucket, signed, signal: closed.signal, report };
  await examine(options, examination);
}

/** Without a node that sees more, there are the variables of the process, which the published types do not know. */
interface Evaluation {
  evaluateNodeProperty(value: string, type: string, node: object, message: object): unknown;
}

/** Text of the form as Node-RED would give it to a deployed node: a text that is `${NAME}` is an environment variable. */
function resolver(RED: NodeAPI, scope: Node | undefined, onMissing: (name: string) => void) {
  const util = RED.util as unknown as Evaluation;
  return (text: string): string => {
    const name = /^\$\{(\S+)\}$/.exec(text)?.[1] ?? /^\$\((\S+)\)$/.exec(text)?.[1];
    if (name === undefined) return text;
    const value = util.evaluateNodeProperty(`\${${name}}`, 'env', scope ?? {}, {});
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    onMissing(name);
    return text;
  };
}

/** What is tried, out of what stands in the form and what only the runtime has. */
function prepare(
  RED: NodeAPI,
  id: string,
  { settings, credentials, z, tlsChanged }: DoctorRequest,
): { options: S3StoreOptions; problems: Problem[]; signed: boolean } {
  const problems: Problem[] = [];
  let signed = true;
  const tell = (
    verdict: 'failed' | 'warning',
    finding: Problem['finding'],
    values?: Record<string, string | number>,
  ): void => {
    problems.push({ event: 'found', check: 'settings', verdict, finding, ms: 0, ...(values && { values }) });
    if (verdict === 'failed') signed = false;
  };

  const node = RED.nodes.getNode(id) as DeployedConnection | null;
  const deployed = node?.type === 's3-connection' ? node : undefined;
  const resolve = resolver(RED, deployed ?? neighbour(RED, z), (name) =>
    tell('failed', 'variableMissing', { name }),
  );
  const used = mapTexts(settings, resolve);
  const isKept = (name: 'secretAccessKey' | 'sessionToken'): boolean => credentials[name] === PLACEHOLDER;
  const keys = { ...credentials };
  if (used.auth !== 'chain') {
    if (isKept('secretAccessKey') || isKept('sessionToken')) {
      if (deployed === undefined) tell('failed', 'keysUndeployed');
      else if (!isSameStore(deployed.endpoint, used.endpoint)) {
        tell('failed', 'keysElsewhere', { host: hostOf(deployed.endpoint) ?? deployed.endpoint });
      } else {
        const stored = deployed.credentials as Partial<ConnectionCredentials> | undefined;
        if (isKept('secretAccessKey')) keys.secretAccessKey = stored?.secretAccessKey ?? '';
        if (isKept('sessionToken')) keys.sessionToken = stored?.sessionToken ?? '';
      }
    }
    Object.assign(keys, mapTexts(keys, resolve));
  }
  const tls = used.tls === '' ? null : (RED.nodes.getNode(used.tls) as (Node & Partial<TlsNode>) | null);
  const isTls = typeof tls?.addTLSOptions === 'function';
  if (used.tls !== '' && !isTls) tell('warning', 'tlsUndeployed');
  else if (isTls && tlsChanged) tell('warning', 'tlsStale');
  return { options: optionsOf(used, keys, isTls ? (tls as TlsNode) : null), problems, signed };
}

/** A deployed node that sees the same variables as one that is not deployed yet. */
function neighbour(RED: NodeAPI, z: string): Node | undefined {
  const ids: string[] = [];
  RED.nodes.eachNode((definition) => {
    if ((definition.z || '') === z) ids.push(definition.id);
  });
  return ids.map((id) => RED.nodes.getNode(id) as Node | null).find((node) => node !== null);
}

function mapTexts<T extends object>(values: T, map: (text: string) => string): T {
  const entries = Object.entries(values).map(([name, value]: [string, unknown]) => [
    name,
    typeof value === 'string' ? map(value) : value,
  ]);
  return Object.fromEntries(entries) as T;
}

/** Addresses of S3 itself at AWS, where anybody may have a server of his own at others. */
const AWS =
  /^s3(?:-external-1|-accelerate(?:\.dualstack)?|(?:-fips)?(?:\.dualstack)?[.-][a-z]{2,4}(?:-[a-z]{1,12}){1,3}-\d{1,2})?\.amazonaws\.com(?:\.cn)?$/;

/** The host of an endpoint; undefined when it is none. */
function hostOf(endpoint: string): string | undefined {
  if (endpoint === '') return 'AWS S3';
  try {
    const { hostname } = new URL(endpoint);
    return AWS.test(hostname) ? 'AWS S3' : hostname;
  } catch {
    return undefined;
  }
}

/** Whether keys that were deployed for one endpoint may be used for another. */
export function isSameStore(deployed: string, wanted: string): boolean {
  const host = hostOf(deployed);
  if (host === undefined || host !== hostOf(wanted)) return false;
  const isSecure = (endpoint: string): boolean => endpoint === '' || /^https:/i.test(endpoint);
  return isSecure(wanted) || !isSecure(deployed);
}

/** What a dialogue sent, with nothing in it but what belongs there; undefined when it is something else. */
function readRequest({ body }: Request): DoctorRequest | undefined {
  if (!isRecord(body) || !isRecord(body.settings) || !isRecord(body.credentials)) return undefined;
  const { settings, credentials } = body;
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
  const used: ConnectionSettings = {
    endpoint: text(settings.endpoint).trim(),
    region: text(settings.region).trim(),
    pathStyle: settings.pathStyle === true,
    auth: settings.auth === 'chain' ? 'chain' : 'keys',
    profile: text(settings.profile),
    roleArn: text(settings.roleArn),
    roleExternalId: text(settings.roleExternalId),
    tls: text(settings.tls),
    connectTimeout: text(settings.connectTimeout),
    requestTimeout: text(settings.requestTimeout),
  };
  return {
    settings: used,
    credentials: {
      accessKeyId: text(credentials.accessKeyId),
      secretAccessKey: text(credentials.secretAccessKey),
      sessionToken: text(credentials.sessionToken),
    },
    z: text(body.z),
    bucket: text(body.bucket).trim(),
    createBucket: body.createBucket === true,
    tlsChanged: body.tlsChanged === true,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
