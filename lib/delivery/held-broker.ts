import type { IClientOptions, IStream, MqttClient } from 'mqtt';
import tcpStream from 'mqtt/lib/connect/tcp';
import tlsStream from 'mqtt/lib/connect/tls';
import { streamBuilder as webSocketStream } from 'mqtt/lib/connect/ws';

import { S3BatchError } from '../errors';

/** Where a broker is and how to speak to it, as MQTT.js takes it. */
export interface Broker {
  /** For people and as an identity: protocol, host and port, without credentials. */
  name: string;
  /** With host, port, protocol and all of TLS; without what makes a session. */
  options: IClientOptions;
}

const PROTOCOLS = { mqtt: 1883, tcp: 1883, mqtts: 8883, ssl: 8883, tls: 8883, ws: 80, wss: 443 } as const;
type Protocol = keyof typeof PROTOCOLS;
/** What a protocol is called when there is a client certificate, which only TLS can show. */
const SECURE: Partial<Record<Protocol, Protocol>> = { mqtt: 'mqtts', tcp: 'mqtts', ws: 'wss' };

/**
 * The broker of an address such as `mqtts://host:8883`, with the settings that MQTT.js's own `connect` takes beside it.
 * Client id, session and will are not taken from them: they are another client's.
 * @throws BROKER_INVALID
 */
export function brokerOf(address: string, settings: IClientOptions): Broker {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const given = url?.protocol.slice(0, -1) ?? '';
  if (!url || !isProtocol(given) || url.hostname === '')
    throw new S3BatchError(
      'BROKER_INVALID',
      'the address in the broker settings is none of an MQTT broker: write a host, or an address such as ' +
        'mqtts://broker.example:8883 or wss://broker.example/mqtt',
    );
  const protocol = (settings.cert && settings.key ? SECURE[given] : undefined) ?? given;
  const port = url.port === '' ? PROTOCOLS[protocol] : Number(url.port);
  // Sockets take the address of IPv6 without its brackets, which an address of WebSocket needs.
  const host = protocol.startsWith('ws') ? url.hostname : url.hostname.replace(/^\[(.*)\]$/, '$1');
  const options: IClientOptions = { ...settings, protocol: protocol as 'mqtt', host, hostname: host, port };
  if (protocol.startsWith('ws')) options.path = url.pathname + url.search;
  if (url.username !== '') {
    options.username = decodeURIComponent(url.username);
    options.password = decodeURIComponent(url.password);
  }
  for (const name of ['will', 'clean', 'clientId', 'properties', 'reconnectPeriod'] as const)
    Reflect.deleteProperty(options, name);
  return { name: `${protocol}://${url.hostname}:${port}`, options };
}

function isProtocol(name: string): name is Protocol {
  return Object.hasOwn(PROTOCOLS, name);
}

/** A new connection to the broker, by the builders that MQTT.js itself uses. */
export function openSocket(client: MqttClient, { options }: Broker): IStream {
  // The builders change what they are given.
  const own = { ...options };
  switch (own.protocol as string) {
    case 'ws':
    case 'wss':
      return webSocketStream(client, own);
    case 'mqtts':
    case 'ssl':
    case 'tls':
      return tlsStream(client, own);
    default:
      return tcpStream(client, own);
  }
}
