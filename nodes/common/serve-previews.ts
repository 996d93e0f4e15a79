import { isUtf8 } from 'node:buffer';
import { hostname } from 'node:os';

import type { NodeAPI } from 'node-red';

import { messageOf, S3BatchError } from '../../lib/errors';
import { type LayoutSettings, previewOf } from '../../lib/layout';
import { extensionOf } from '../../lib/object';
import type { PreviewAnswer, PreviewRequest, Sample } from './preview-messages';
import { type RecentMessage, recentMessagesOf } from './recent-messages';

/** Characters of a sample's topic and payload that are looked at. */
const LONGEST = 1024 * 1024;
/** Characters of settings, as JSON. */
const LONGEST_SETTINGS = 32 * 1024;
/** What a sample may become when it is decompressed, bytes. */
const MOST_DECOMPRESSED = 16 * 1024 * 1024;
/** Stands for the unique name of a batch. */
const BATCH = '01k9x2m7q0c4v8t6s1r3';

/**
 * Lets dialogues see what a layout does to a message: `POST s3-batch/preview` runs the layout itself on settings that
 * need not be saved, and `GET s3-batch/samples/ID` tells messages that nodes with this layout took lately (without an
 * id: those without a layout).
 * @param settingsOf reads settings of a dialogue
 */
export function servePreviews(RED: NodeAPI, settingsOf: (settings: object) => LayoutSettings): void {
  RED.httpAdmin.post(
    '/s3-batch/preview',
    RED.auth.needsPermission('archive-layout.read'),
    (request, response) => {
      response.json(answer(request.body, settingsOf));
    },
  );
  RED.httpAdmin.get(
    ['/s3-batch/samples', '/s3-batch/samples/:layout'],
    RED.auth.needsPermission('s3-batch-out.read'),
    (request, response) => {
      response.set('Cache-Control', 'no-store');
      response.json(recentMessagesOf(String(request.params.layout ?? '')).map(sampleOf));
    },
  );
}

function answer(body: unknown, settingsOf: (settings: object) => LayoutSettings): PreviewAnswer {
  try {
    const { settings, topic, payload, isBase64, framing, compression, instance } = checked(body);
    const layout = settingsOf(settings);
    const preview = previewOf(
      { ...layout, decompressLimit: Math.min(layout.decompressLimit, MOST_DECOMPRESSED) },
      { topic, payload: Buffer.from(payload, isBase64 ? 'base64' : 'utf8') },
      Date.now(),
      {
        batch: BATCH,
        instance: instance === undefined || instance === '' ? hostname() : instance,
        extension: extensionOf(framing ?? 'newline', compression ?? 'gzip'),
      },
    );
    return { preview };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** @throws QUERY_INVALID */
function checked(body: unknown): PreviewRequest {
  const { settings, topic, payload, instance } = (body ?? {}) as Partial<Record<string, unknown>>;
  const isRight =
    typeof settings === 'object' &&
    settings !== null &&
    typeof topic === 'string' &&
    typeof payload === 'string' &&
    (instance === undefined || typeof instance === 'string');
  if (!isRight) throw new S3BatchError('QUERY_INVALID', 'a preview needs settings, a topic and a payload');
  if (topic.length + payload.length > LONGEST)
    throw new S3BatchError('QUERY_INVALID', 'the sample is longer than 1 MiB: take a shorter one');
  // A layout is checked by whoever may only read it, and some checks take the square of its length.
  if (JSON.stringify(settings).length > LONGEST_SETTINGS)
    throw new S3BatchError('QUERY_INVALID', 'the settings take more than 32 KiB: make the layout simpler');
  return body as PreviewRequest;
}

function sampleOf({ topic, payload }: RecentMessage): Sample {
  if (payload === undefined) return { topic };
  const isBase64 = !isUtf8(payload);
  return { topic, payload: payload.toString(isBase64 ? 'base64' : 'utf8'), isBase64 };
}
