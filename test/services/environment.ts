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

export function mqttUrl(): string {
  return variable('MQTT_URL');
}

/** Letters and digits that no other run has, fit for bucket names. */
export const RUN = Date.now().toString(36) + process.pid.toString(36);
