import type { ConnectionCredentials, ConnectionSettings } from './connection-settings';

/** What Node-RED's editor has of a password that is stored: the runtime alone knows it. */
export const PLACEHOLDER = '__PWRD__';

/** What the dialogue of an s3-connection sends to have it examined. */
export interface DoctorRequest {
  settings: ConnectionSettings;
  /** As they stand in the form: a placeholder for what the editor does not have. */
  credentials: ConnectionCredentials;
  /** Id of the flow that the connection belongs to; empty when all flows share it. */
  z: string;
  bucket: string;
  createBucket: boolean;
  /** Whether the chosen TLS settings were edited since they were deployed. */
  tlsChanged: boolean;
}
