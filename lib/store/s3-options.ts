import { createSecureContext } from 'node:tls';
import { messageOf } from '../errors';
import { checkEndpoint, invalid, isRegion, isRoleArn, isSecret, LONGEST_TIMEOUT_MS } from './s3-rules';

/** An access key; the session token comes with temporary ones. */
export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** A role to assume with the credentials, and to work with from then on. */
export interface S3Role {
  arn: string;
  externalId?: string;
  sessionName?: string;
}

/** What Node.js's `tls.connect` takes; `alpn` is one protocol name. */
export interface S3TlsOptions {
  ca?: string | Buffer | (string | Buffer)[];
  cert?: string | Buffer;
  key?: string | Buffer;
  passphrase?: string;
  servername?: string;
  rejectUnauthorized?: boolean;
  alpn?: string;
}

export interface S3StoreOptions {
  /** `http://host:port` or `https://…` of a store that speaks S3; none or empty: AWS. */
  endpoint?: string;
  region: string;
  /** True: the bucket is in the path of the address, as Ceph wants it; false: in its host name. */
  pathStyle: boolean;
  /** None: the SDK's default chain (environment, shared files, container and instance roles). */
  credentials?: S3Credentials;
  /** Profile of the shared files that the default chain takes. */
  profile?: string;
  role?: S3Role;
  tls?: S3TlsOptions;
  /** Longest time for a TCP connection in ms; 5000 when not given. */
  connectTimeoutMs?: number;
  /** Longest silence of the store in ms, and the time that a call has besides that for its bytes; 30,000 when not given. */
  requestTimeoutMs?: number;
  /** Most connections side by side; 50 when not given. A call that waits for one does so within the connect timeout. */
  maxSockets?: number;
}

/** Options with their defaults, found to be usable. */
export type CheckedOptions = Omit<S3StoreOptions, 'endpoint'> & {
  /** None: AWS. */
  endpoint?: URL;
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  maxSockets: number;
};

function checkSecret(name: string, value: string): void {
  if (value === '') throw invalid(`The ${name} is empty: enter it, or choose the default credential chain.`);
  if (!isSecret(value)) {
    throw invalid(
      `The ${name} has a space, a line break or a character outside ASCII in it: enter it again.`,
    );
  }
}

function checkCredentials(credentials: S3Credentials): void {
  checkSecret('access key ID', credentials.accessKeyId);
  checkSecret('secret access key', credentials.secretAccessKey);
  if (credentials.sessionToken !== undefined) checkSecret('session token', credentials.sessionToken);
}

function checkRole(role: S3Role): void {
  if (!isRoleArn(role.arn)) {
    throw invalid(
      `The role ${JSON.stringify(role.arn)} is not the ARN of a role: write it as arn:aws:iam::123456789012:role/NAME.`,
    );
  }
  if (role.sessionName !== undefined && !/^[\w+=,.@-]{2,64}$/.test(role.sessionName)) {
    throw invalid('The role session name must have 2 to 64 letters, digits or characters of _+=,.@-');
  }
}

function checkTls(tls: S3TlsOptions): void {
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalid(
      'The TLS settings have a certificate without its private key, or the reverse: give both or none.',
    );
  }
  try {
    createSecureContext({
      ...(tls.ca !== undefined && { ca: tls.ca }),
      ...(tls.cert !== undefined && { cert: tls.cert }),
      ...(tls.key !== undefined && { key: tls.key }),
      ...(tls.passphrase !== undefined && { passphrase: tls.passphrase }),
    });
  } catch (error) {
    throw invalid(
      `The TLS settings cannot be used (${messageOf(error)}): check certificate, private key and passphrase.`,
      error,
    );
  }
}

function checkNumber(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw invalid(`The ${name} must be a whole number from 1 to ${most}, and is ${value}.`);
  }
}

/** @throws CONNECTION_INVALID */
export function checkOptions(options: S3StoreOptions): CheckedOptions {
  const { endpoint, ...rest } = options;
  const checked: CheckedOptions = {
    connectTimeoutMs: 5000,
    requestTimeoutMs: 30_000,
    maxSockets: 50,
    ...rest,
  };
  if (endpoint !== undefined && endpoint !== '') checked.endpoint = checkEndpoint(endpoint);
  if (!isRegion(options.region)) {
    throw invalid(
      options.region === ''
        ? 'The region is empty: enter the one of the bucket, or us-east-1 for a store that has no regions.'
        : `The region ${JSON.stringify(options.region)} is no region's name: it has letters, digits and hyphens only, as in eu-central-1.`,
    );
  }
  if (options.credentials !== undefined) checkCredentials(options.credentials);
  if (options.role !== undefined) checkRole(options.role);
  if (options.tls !== undefined) checkTls(options.tls);
  checkNumber('connect timeout in ms', checked.connectTimeoutMs, LONGEST_TIMEOUT_MS);
  checkNumber('request timeout in ms', checked.requestTimeoutMs, LONGEST_TIMEOUT_MS);
  checkNumber('number of connections', checked.maxSockets, 10_000);
  return checked;
}
