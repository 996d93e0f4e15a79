import { isUtf8 } from 'node:buffer';

import type { IPublishPacket } from 'mqtt';
import type { NodeMessage } from 'node-red';

import { S3BatchError } from '../../lib/errors';

/** What a payload becomes, by the names that Node-RED's `mqtt in` has for it. */
export type Datatype = 'auto-detect' | 'auto' | 'buffer' | 'utf8' | 'json' | 'base64';

/** What MQTT 5 content types mean to `mqtt in`; anything else is text when its bytes are. */
const MEDIA_TYPES: Record<string, 'text' | 'buffer' | 'json'> = {
  'text/css': 'text',
  'text/html': 'text',
  'text/plain': 'text',
  'application/json': 'json',
  'application/octet-stream': 'buffer',
  'application/pdf': 'buffer',
  'application/x-gtar': 'buffer',
  'application/x-gzip': 'buffer',
  'application/x-tar': 'buffer',
  'application/xml': 'text',
  'application/zip': 'buffer',
  'audio/aac': 'buffer',
  'audio/ac3': 'buffer',
  'audio/basic': 'buffer',
  'audio/mp4': 'buffer',
  'audio/ogg': 'buffer',
  'image/bmp': 'buffer',
  'image/gif': 'buffer',
  'image/jpeg': 'buffer',
  'image/tiff': 'buffer',
  'image/png': 'buffer',
};

/** A message as `mqtt in` sends it, with the packet's `dup` beside it. */
export interface MqttMessage extends NodeMessage {
  topic: string;
  payload: unknown;
  qos: number;
  retain: boolean;
  dup: boolean;
  responseTopic?: string;
  correlationData?: Buffer;
  contentType?: string;
  messageExpiryInterval?: number;
  payloadFormatIndicator?: boolean;
  userProperties?: Record<string, string>;
  /** The topic once more, for brokers on the same machine. */
  _topic?: string;
}

/** The packet's message, with its bytes as the payload; Node-RED gives it an id where it has none. */
export function mqttMessage(packet: IPublishPacket, messageId: string | undefined): MqttMessage {
  const { topic, qos, retain, dup, properties } = packet;
  const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
  const message: MqttMessage = { topic, payload, qos, retain, dup };
  if (messageId !== undefined) message._msgid = messageId;
  if (properties) Object.assign(message, propertiesOf(properties));
  return message;
}

function propertiesOf(properties: NonNullable<IPublishPacket['properties']>): Partial<MqttMessage> {
  const { responseTopic, correlationData, contentType, messageExpiryInterval } = properties;
  const { payloadFormatIndicator, userProperties } = properties;
  const texts = Object.entries(userProperties ?? {}).map(([name, value]) => [name, textOf(value)]);
  return {
    ...(responseTopic ? { responseTopic } : {}),
    ...(correlationData ? { correlationData: Buffer.from(correlationData) } : {}),
    ...(contentType ? { contentType } : {}),
    ...(messageExpiryInterval === undefined ? {} : { messageExpiryInterval }),
    ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator }),
    ...(texts.length > 0 ? { userProperties: Object.fromEntries(texts) as Record<string, string> } : {}),
  };
}

/** A property that was given several times has a list of values. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The payload as the datatype wants it. @throws PAYLOAD_INVALID when it must be JSON and is not */
export function payloadAs(datatype: Datatype, bytes: Buffer, message: MqttMessage): unknown {
  switch (datatype) {
    case 'buffer':
      return bytes;
    case 'base64':
      return bytes.toString('base64');
    case 'utf8':
      return bytes.toString('utf8');
    case 'json':
      return jsonOf(bytes, message);
    default:
      return detected(bytes, message, datatype === 'auto-detect');
  }
}

function detected(bytes: Buffer, message: MqttMessage, wantsValues: boolean): unknown {
  switch (MEDIA_TYPES[(message.contentType ?? '').toLowerCase()]) {
    case 'text':
      return bytes.toString();
    case 'buffer':
      return bytes;
    case 'json': {
      const value = jsonOf(bytes, message);
      return wantsValues ? value : bytes.toString();
    }
    default:
  }
  if (message.payloadFormatIndicator !== true && !isUtf8(bytes)) return bytes;
  const text = bytes.toString();
  if (!wantsValues) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function jsonOf(bytes: Buffer, { payloadFormatIndicator }: MqttMessage): unknown {
  if (payloadFormatIndicator === true || isUtf8(bytes)) {
    try {
      return JSON.parse(bytes.toString()) as unknown;
    } catch {
      // Told below, as for bytes that are no text.
    }
  }
  throw new S3BatchError(
    'PAYLOAD_INVALID',
    'the payload is no JSON: choose another output, or catch this error and end the message',
  );
}
