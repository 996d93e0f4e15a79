import { storeConformance } from '../support/store-conformance';
import { s3Access } from './environment';

storeConformance('Ceph RGW', () => {
  const { endpoint, region, accessKey, secretKey } = s3Access();
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  return Promise.resolve({ options: { endpoint, region, pathStyle: true, credentials } });
});
