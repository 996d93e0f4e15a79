import { type ConformanceTarget, storeConformance } from '../support/store-conformance';
import { s3Access, s3TlsAccess } from './environment';

function target(): ConformanceTarget {
  const { endpoint, region, accessKey, secretKey } = s3Access();
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  return { options: { endpoint, region, pathStyle: true, credentials } };
}

storeConformance('Ceph RGW', () => Promise.resolve(target()));

// Over TLS the gateway reads requests through another part of itself.
storeConformance('Ceph RGW over TLS', () => {
  const { endpoint, ca } = s3TlsAccess();
  return Promise.resolve({ options: { ...target().options, endpoint, tls: { ca } } });
});
