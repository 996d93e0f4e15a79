export type { Fault, FaultKind, FaultRequest, Faults } from './faults';
export type { Operation } from './request';
export { startS3Server, type S3Server, type S3ServerOptions } from './server';
export type { Stats } from './stats';
