import { storeConformance } from '../support/store-conformance';

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: start this with "npm run test:services"`);
  }
  return value;
}

storeConformance('Ceph RGW', () =>
  Promise.resolve({
    options: {
      endpoint: variable('S3_ENDPOINT'),
      region: 'us-east-1',
      pathStyle: true,
      credentials: { accessKeyId: variable('S3_ACCESS_KEY'), secretAccessKey: variable('S3_SECRET_KEY') },
    },
  }),
);
