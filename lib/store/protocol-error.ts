import { S3BatchError } from '../errors';

/** An answer that is not what S3 answers: `message` says what is wrong with it. */
export function protocolError(message: string, place: string): S3BatchError {
  return new S3BatchError(
    'STORE_PROTOCOL',
    `${message}: ${place}. Check that the endpoint is an S3 store, and that no proxy in between changes its answers.`,
  );
}
