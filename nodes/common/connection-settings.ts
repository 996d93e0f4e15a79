/** What an s3-connection holds. The dialogue knows it: nothing here may need Node.js. */

export interface ConnectionSettings {
  endpoint: string;
  region: string;
  /** A flow that was written by hand may lack it. */
  pathStyle?: boolean;
  auth: 'keys' | 'chain';
  profile: string;
  roleArn: string;
  roleExternalId: string;
  tls: string;
  connectTimeout: string | number;
  requestTimeout: string | number;
}

/** In the credential store only. */
export interface ConnectionCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}
