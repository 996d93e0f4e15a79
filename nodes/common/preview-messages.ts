import type { LayoutPreview } from '../../lib/layout/layout-preview';

/** What a dialogue asks of `s3-batch/preview`. */
export interface PreviewRequest {
  /** Settings of an archive-layout as the dialogue has them, saved or not. */
  settings: object;
  topic: string;
  payload: string;
  isBase64: boolean;
  /** What an s3-batch-out adds to an object's name. */
  framing?: 'newline' | 'length' | 'none';
  compression?: 'gzip' | 'none';
  instance?: string;
}

/** What it is answered: what the layout makes of the message, or why there is no such layout. */
export type PreviewAnswer = { preview: LayoutPreview } | { problem: string };

/** One of the messages that `s3-batch/samples` answers. */
export interface Sample {
  topic: string;
  /** Undefined when it was too long to be kept. */
  payload?: string;
  isBase64?: boolean;
}
