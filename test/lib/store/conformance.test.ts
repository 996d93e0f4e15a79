import { storeConformance } from '../../support/store-conformance';
import { startEmbedded } from './embedded';

storeConformance('The embedded S3 server', () => startEmbedded());
