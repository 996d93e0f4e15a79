import { readFileSync } from 'node:fs';

/** What `npm run test:services` tells about the services that run. */
export interface S3Access {
  endpoint: string;
  region: string;
  accessKey: string;
  secretKey: string;
}

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: start this with "npm run test:services"`);
  }
  return value;
}

/** The S3 gateway and the keys that it takes. */
export function s3Access(): S3Access {
  return {
    endpoint: variable('S3_ENDPOINT'),
    region: variable('S3_REGION'),
    accessKey: variable('S3_ACCESS_KEY'),
    secretKey: variable('S3_SECRET_KEY'),
  };
}

/** The same gateway with the same keys over its own TLS, and the certificate of the authority that it has its own from. */
export function s3TlsAccess(): S3Access & { ca: string } {
  return {
    ...s3Access(),
    endpoint: variable('S3_TLS_ENDPOINT'),
    ca: readFileSync(variable('S3_TLS_CA_FILE'), 'utf8'),
  };
}

export function mqttUrl(): string {
  return variable('MQTT_URL');
}

/** Letters and digits that no other run has, fit for bucket names. */
export const RUN = Date.now().toString(36) + process.pid.toString(36);
