import { parseArgs } from 'node:util';

import { Layout } from '../lib/layout';

export const HELP = `npm run generate -- [options]    publishes weld spots of a plant full of stations; see docs/welding-plant.md

  --broker URL         mqtt://, mqtts://, ws:// or wss:// (mqtt://127.0.0.1:1883)
  --qos 0|1|2          (1)
  --plants N           (3)
  --stations N         in each plant (20)
  --rate N             spots a second; 0: as fast as the broker takes them (100)
  --minutes N          how long; with --rate 0: the time that the spots are spread over (10)
  --messages N         how many spots, in place of what rate and minutes give; needed with --rate 0
  --start TIME         when the first spot was welded: "20181001 171035" in UTC, or ISO 8601 (now)
  --late PERCENT       of the stations: they deliver what they welded a day before (0)
  --duplicates PERCENT of the messages: they are published twice (0)
  --gzip PERCENT       of the messages: payload gzipped, on topics ROOT/JSON/GZIP/… (0)
  --seed N             the same seed gives the same spots (1)
  --json               the last line is one JSON object that tells what was published
  --help

A user name and a password come from the environment: MQTT_USERNAME, MQTT_PASSWORD. Ctrl-C ends it early and tells
what the broker has acknowledged.`;

export interface GenerateOptions {
  broker: string;
  username: string | undefined;
  password: string | undefined;
  qos: 0 | 1 | 2;
  plants: number;
  stations: number;
  /** Spots a second; 0: any number. */
  rate: number;
  /** Spots. */
  count: number;
  /** Seconds that the spots are spread over. */
  seconds: number;
  /** ms since 1970, whole seconds. */
  start: number;
  late: number;
  duplicates: number;
  gzip: number;
  seed: number;
  json: boolean;
}

const PROTOCOLS = ['mqtt:', 'mqtts:', 'ws:', 'wss:'];
const TIMES = new Layout({
  time: { source: 'field', field: 'weldspot.Timestamp', format: 'yyyyMMdd HHmmss', zone: 'UTC' },
});

/**
 * What a command line asks for; undefined when it asks for help.
 * @throws Error that names the option, what is wrong with it and the remedy
 */
export function generateOptions(
  args: readonly string[],
  env: Record<string, string | undefined>,
  now: number,
): GenerateOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      broker: { type: 'string', default: 'mqtt://127.0.0.1:1883' },
      qos: { type: 'string', default: '1' },
      plants: { type: 'string', default: '3' },
      stations: { type: 'string', default: '20' },
      rate: { type: 'string', default: '100' },
      minutes: { type: 'string', default: '10' },
      messages: { type: 'string' },
      start: { type: 'string' },
      late: { type: 'string', default: '0' },
      duplicates: { type: 'string', default: '0' },
      gzip: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const rate = number('rate', values.rate, 0, 1_000_000);
  const minutes = number('minutes', values.minutes, 1 / 60, 366 * 24 * 60);
  if (rate === 0 && values.messages === undefined)
    throw new Error('--rate 0 has no end by itself: say how many with --messages');
  const count =
    values.messages === undefined
      ? Math.max(1, Math.round(rate * minutes * 60))
      : whole('messages', values.messages, 1, 1e9);
  const qos = whole('qos', values.qos, 0, 2) as 0 | 1 | 2;
  return {
    broker: brokerOf(values.broker),
    username: env.MQTT_USERNAME,
    password: env.MQTT_PASSWORD,
    qos,
    plants: whole('plants', values.plants, 1, 1000),
    stations: whole('stations', values.stations, 1, 10_000),
    rate,
    count,
    seconds: rate > 0 ? count / rate : minutes * 60,
    start: startOf(values.start, now),
    late: number('late', values.late, 0, 100),
    duplicates: number('duplicates', values.duplicates, 0, 100),
    gzip: number('gzip', values.gzip, 0, 100),
    seed: whole('seed', values.seed, 0, 2 ** 31),
    json: values.json,
  };
}

function brokerOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !PROTOCOLS.includes(url.protocol) || url.hostname === '')
    throw new Error(`--broker takes a URL such as mqtt://127.0.0.1:1883, not "${url ? url.protocol : text}"`);
  if (url.username !== '' || url.password !== '')
    throw new Error(
      '--broker takes no user and no password, since anybody on this machine can read them there: set MQTT_USERNAME and MQTT_PASSWORD',
    );
  return text;
}

function startOf(text: string | undefined, now: number): number {
  const time = text === undefined ? now : TIMES.parseTime(text);
  if (time === undefined)
    throw new Error(`--start takes a time such as "20181001 171035" or 2018-10-01T17:10:35Z, not "${text}"`);
  return Math.floor(time / 1000) * 1000;
}

function number(name: string, text: string, least: number, most: number): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (value >= least && value <= most) return value;
  throw new Error(`--${name} takes a number from ${least} to ${most}, not "${text}"`);
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = number(name, text, least, most);
  if (Number.isInteger(value)) return value;
  throw new Error(`--${name} takes a whole number, not "${text}"`);
}
