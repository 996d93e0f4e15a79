import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { connectAsync } from 'mqtt';

import { TestBuckets } from './buckets';
import { freezeGateway, killGateway, restartBroker, startGateway } from './daemons';
import { mqttUrl, RUN, s3Access } from './environment';
import { type NumberedMessage, numberedMessages } from './numbered-messages';
import { Plant } from './plant';
import { assertEachOnce, scanBuckets } from './scan';

/** Records of a batch: few, so that many uploads are under way when something breaks. */
const BATCH = 100;
const FREEZE = 10_000; // ms
const CLIENT = `s3-batch-${RUN}`;
/** Those whose buckets are there from the start: a gateway makes none for half a minute after it was killed. */
const PLANTS = ['OTHERS', 'KEYS', 'CORRECTED', 'KILLED', 'FROZEN', 'BROKER', 'STOPPED'] as const;
const WAITING = 'waiting: ';

describe('Bad days on Mosquitto and Ceph RGW: nothing is lost', () => {
  const s3 = s3Access();
  const buckets = new TestBuckets(s3);
  const cleanups = [() => buckets.removeAll(), forgetSession];
  let plant: Plant;

  before(async () => {
    for (const name of PLANTS) await buckets.create(plantNamed(name).toLowerCase());
    plant = await Plant.start({
      s3,
      mqttUrl: mqttUrl(),
      unmatchedBucket: `unmatched-${RUN}`,
      batchOut: { count: BATCH },
      connection: { connectTimeout: 2, requestTimeout: 2 },
      // A session that the broker keeps: what comes while Node-RED is away waits there.
      broker: { clientid: CLIENT, cleansession: false },
    });
    cleanups.push(() => plant.remove());
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  /** Publishes and waits until the s3-batch-out has taken all, stored or not. */
  const send = async (messages: readonly NumberedMessage[]): Promise<void> => {
    const { received = 0 } = await plant.counts();
    await plant.publish(messages);
    await plant.received(received + messages.length);
  };

  /** How many statuses there were so far: what is waited for must come after them. */
  const statusesSoFar = async (): Promise<number> => (await plant.told()).statuses.length;

  /** Resolves when some objects of the bucket are stored, so that others are on their way. */
  const uploading = (bucket: string): Promise<void> =>
    plant.until(`objects in ${bucket}`, async () => {
      const { objects } = await plant.told();
      return objects.filter((object) => object.bucket === bucket).length >= 3;
    });

  /** The counts follow within a second. */
  const assertBooksBalance = (): Promise<void> =>
    plant.until('everything received to be counted as stored', async () => {
      const { received, stored } = await plant.counts();
      return stored === received;
    });

  /** Stores what is open, then looks: every message once, told as it is there, and nothing waits any more. */
  const assertStoredOnce = async (messages: readonly NumberedMessage[]): Promise<void> => {
    const bucket = messages[0]?.bucket ?? '';
    const before = await statusesSoFar();
    await plant.flush();
    const { objects, numbers } = await scanBuckets(s3, [bucket]);
    assertEachOnce(numbers, messages);
    await plant.until('every object to be told', async () => {
      const told = (await plant.told()).objects.filter((object) => object.bucket === bucket);
      return told.length === objects.length;
    });
    const told = (await plant.told()).objects.filter((object) => object.bucket === bucket);
    assert.deepEqual(told.map(({ key }) => key).sort(), objects.map(({ key }) => key).sort());
    await plant.until('no status of waiting batches', async () => {
      const { statuses } = await plant.told();
      return statuses.length >= before && !(statuses.at(-1) ?? '').includes(WAITING);
    });
    await assertBooksBalance();
  };

  it('holds batches whose bucket is missing, while others are stored, until the bucket is there', async () => {
    const homeless = numberedMessages({ plant: plantNamed('HOMELESS'), count: 1000 });
    const others = numberedMessages({ plant: plantNamed('OTHERS'), count: 1000 });
    await send([...homeless, ...others]);
    await plant.status(/waiting: The bucket does not exist/);
    await plant.until('the others to be stored', async () => (await plant.counts()).stored === 1000);

    await buckets.create(homeless[0]!.bucket);
    await assertStoredOnce(homeless);
    await assertStoredOnce(others);
  });

  it('holds batches while the credentials are wrong, and stores them after a deploy of the right ones', async () => {
    const messages = numberedMessages({ plant: plantNamed('KEYS'), count: 1050 });
    const { stored } = await plant.counts();
    const before = await statusesSoFar();

    await plant.deploy({ s3: { ...s3, secretKey: 'another-secret' } }, 'nodes');
    await send(messages);
    await plant.status(/waiting: The store does not accept the credentials/, before);
    assert.equal((await plant.counts()).stored, stored);

    await plant.deploy({}, 'nodes');
    await plant.until(
      'what was held to be stored',
      async () => (await plant.counts()).stored === stored! + 1000,
    );
    await assertStoredOnce(messages);
  });

  it('stores what it held when a correction of the credentials was itself corrected', async () => {
    const messages = numberedMessages({ plant: plantNamed('CORRECTED'), count: 1050 });
    const shown = await statusesSoFar();

    await plant.deploy({ s3: { ...s3, secretKey: 'another-secret' } }, 'nodes');
    await send(messages);
    await plant.status(/waiting: The store does not accept the credentials/, shown);
    // No secret key has a space: the node refuses to work with these settings.
    await plant.deploy({ s3: { ...s3, secretKey: 'another secret' } }, 'nodes');
    await plant.deploy({}, 'nodes');
    await assertStoredOnce(messages);
  });

  it('stores what was on its way when the gateway was killed', async () => {
    const messages = numberedMessages({ plant: plantNamed('KILLED'), count: 6000 });
    const { bucket } = messages[0]!;
    const before = await statusesSoFar();

    const sent = send(messages);
    await uploading(bucket);
    await killGateway();
    try {
      await sent;
      await plant.status(/waiting: The store cannot be reached/, before);
    } finally {
      await startGateway();
    }
    await assertStoredOnce(messages);
  });

  it('stores what was on its way when the gateway stood still for 10 s', async () => {
    const messages = numberedMessages({ plant: plantNamed('FROZEN'), count: 6000 });
    const { bucket } = messages[0]!;
    const before = await statusesSoFar();

    const sent = send(messages);
    await uploading(bucket);
    const thaw = await freezeGateway();
    try {
      await Promise.all([
        sent,
        plant.status(/waiting: The store did not (answer in time|finish within)/, before),
        pause(FREEZE),
      ]);
    } finally {
      thaw();
    }
    await assertStoredOnce(messages);
  });

  it('stores every message of the days on which the broker was restarted', async () => {
    const messages = numberedMessages({ plant: plantNamed('BROKER'), count: 6000 });
    const { bucket } = messages[0]!;
    const { received: before = 0 } = await plant.counts();

    const published = plant.publish(messages);
    await uploading(bucket);
    await restartBroker();
    await published;
    await plant.until('all to be taken', async () => {
      const { received = 0 } = await plant.counts();
      return received >= before + messages.length;
    });
    await plant.quiet();
    await plant.flush();

    // MQTT may deliver twice what was under way when a connection broke; what came is stored as often.
    const { numbers } = await scanBuckets(s3, [bucket]);
    assertEachOnce([...new Set(numbers)], messages);
    await assertBooksBalance();
  });

  it('stores what is open when Node-RED stops', async () => {
    const messages = numberedMessages({ plant: plantNamed('STOPPED'), count: 1050 });
    await send(messages);
    await plant.nodeRed.stop();
    const { numbers } = await scanBuckets(s3, [messages[0]!.bucket]);
    assertEachOnce(numbers, messages);
  });
});

function plantNamed(name: string): string {
  return `PLANT-${RUN}-${name}`;
}

/** Makes the broker drop the session of the flow. */
async function forgetSession(): Promise<void> {
  const client = await connectAsync(mqttUrl(), { clientId: CLIENT, clean: true });
  await client.endAsync();
}
