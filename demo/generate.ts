import { connectAsync, type MqttClient } from 'mqtt';

import { messageOf } from '../lib/errors';
import { type GenerateOptions, generateOptions, HELP } from './generate-options';
import { noPublishProgress, type PublishProgress, publishMessages } from './publish';
import { weldMessages } from './weld-messages';

/** How long a broker may be away before it is given up, ms. */
const CONNECT_TIMEOUT = 10_000;
const AWAY_TIMEOUT = 30_000;
/** How often the progress is told, ms: on a terminal, and in a log. */
const PROGRESS_EVERY = { terminal: 500, log: 10_000 };
const INTERRUPTED = 130;

async function main(): Promise<number> {
  const options = generateOptions(process.argv.slice(2), process.env, Date.now());
  if (!options) {
    console.log(HELP);
    return 0;
  }
  const stop = new AbortController();
  const interrupt = (): void => {
    // A second Ctrl-C ends it at once.
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    stop.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const client = await connect(options);
  const progress = noPublishProgress();
  const began = performance.now();
  const gone = giveUpWhenAway(client, stop);
  const show = showProgress(options, progress, client, began);
  try {
    await publishMessages(client, weldMessages(options), progress, {
      qos: options.qos,
      rate: options.rate,
      signal: stop.signal,
    });
  } finally {
    show.end();
    gone.end();
    // What is not acknowledged by now was waited for, and is told below.
    await client.endAsync(progress.acknowledged < progress.published);
  }
  const seconds = (performance.now() - began) / 1000;
  const why = gone.reason();
  const interrupted = stop.signal.aborted && why === undefined;
  const text = summary(options, progress, seconds);
  console.log(interrupted ? `Ended early. ${text}` : text);
  if (why !== undefined) console.error(`generate: ${why}`);
  if (options.json) {
    const { broker, qos, plants, stations, seed, start } = options;
    console.log(
      JSON.stringify({
        broker,
        qos,
        plants,
        stations,
        seed,
        start: new Date(start).toISOString(),
        ...progress,
        seconds: Math.round(seconds * 100) / 100,
        complete: !stop.signal.aborted,
      }),
    );
  }
  return why !== undefined ? 1 : interrupted ? INTERRUPTED : 0;
}

async function connect(options: GenerateOptions): Promise<MqttClient> {
  const { broker, username, password } = options;
  try {
    return await connectAsync(
      broker,
      {
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
        clean: true,
        connectTimeout: CONNECT_TIMEOUT,
        reconnectPeriod: 1000,
      },
      false,
    );
  } catch (error) {
    throw new Error(`${broker}: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as { code?: string | number };
  switch (code) {
    case 4:
    case 5:
    case 134:
    case 135:
      return `the broker refuses the connection (${messageOf(error)}): set MQTT_USERNAME and MQTT_PASSWORD`;
    case 'ECONNREFUSED':
      return 'no broker answers there: start one, such as with "npm run services -- start", or say where with --broker';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'there is no host of this name: check --broker';
    default:
      return `no connection (${messageOf(error)}): check --broker`;
  }
}

/** Aborts when the broker stays away; until then the client tries again by itself. */
function giveUpWhenAway(client: MqttClient, stop: AbortController) {
  let why: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const away = (): void => {
    timer ??= setTimeout(() => {
      why = `the broker went away and did not come back for ${AWAY_TIMEOUT / 1000} s`;
      stop.abort();
    }, AWAY_TIMEOUT);
  };
  const back = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  client.on('close', away).on('connect', back);
  // The client says these too, and tries again.
  client.on('error', () => undefined);
  return {
    reason: () => why,
    end: () => {
      client.off('close', away);
      back();
    },
  };
}

function showProgress(
  options: GenerateOptions,
  progress: PublishProgress,
  client: MqttClient,
  began: number,
) {
  const isTerminal = process.stderr.isTTY;
  const total = text(options.count);
  const line = (): string => {
    const seconds = (performance.now() - began) / 1000;
    const rate = text(Math.round(progress.acknowledged / seconds));
    const state = client.connected ? '' : ' · the broker is away, trying again';
    return `${text(progress.acknowledged)} of ${total} ${acknowledged(options)} · ${rate}/s${state}`;
  };
  const timer = setInterval(
    () => process.stderr.write(isTerminal ? `\r\x1b[K${line()}` : `${line()}\n`),
    isTerminal ? PROGRESS_EVERY.terminal : PROGRESS_EVERY.log,
  );
  return {
    end: () => {
      clearInterval(timer);
      if (isTerminal) process.stderr.write('\r\x1b[K');
    },
  };
}

function summary(options: GenerateOptions, progress: PublishProgress, seconds: number): string {
  const { published, acknowledged: done, bytes } = progress;
  const parts = [
    `${text(done)} of ${text(published)} messages ${acknowledged(options)} by ${options.broker}`,
    `${text(progress.spots)} spots of ${options.plants} plants with ${options.stations} stations each`,
    ...(progress.duplicates > 0 ? [`${text(progress.duplicates)} published twice`] : []),
    ...(progress.late > 0 ? [`${text(progress.late)} of the day before`] : []),
    ...(progress.gzip > 0 ? [`${text(progress.gzip)} gzipped`] : []),
    `${text(Math.round(bytes / 1000))} kB in ${seconds.toFixed(1)} s, ${text(Math.round(done / seconds))}/s`,
  ];
  return `${parts.join(' · ')}.`;
}

function acknowledged({ qos }: GenerateOptions): string {
  return qos === 0 ? 'sent' : 'acknowledged';
}

function text(value: number): string {
  return value.toLocaleString('en');
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`generate: ${messageOf(error)}`);
    process.exit(1);
  },
);
