import { readerSuite } from '../python/reader-suite';
import { RUN, s3Access } from './environment';

readerSuite('Ceph RGW', () => Promise.resolve(s3Access()), RUN);
