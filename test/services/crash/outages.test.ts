import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { Mosquitto } from '../../support/mosquitto';
import { freezeGateway, killGateway, startGateway } from '../daemons';
import { type CrashMessage, messagesOf } from './messages';
import { ModeRun } from './mode-run';
import { HELD_UNTIL_JOURNALED, HELD_UNTIL_STORED, JOURNAL, WINDOW } from './modes';

const FREEZE = 30_000; // ms
const TIMEOUT = 400_000; // ms
/** A Mosquitto that saves its sessions every second: killed, it comes back with them. */
const BROKER = [`max_inflight_messages ${WINDOW}`, 'autosave_interval 1'];
const CONNECTION = { connectTimeout: 2, requestTimeout: 2 };

describe('Outages on Mosquitto and Ceph RGW', function () {
  this.timeout(TIMEOUT);
  const runs: ModeRun[] = [];
  let broker: Mosquitto;
  let rounds = 0;

  before(async () => {
    broker = await Mosquitto.start(BROKER);
    // All at once at the beginning: a gateway makes no buckets for half a minute after it was killed.
    for (const mode of [JOURNAL, HELD_UNTIL_JOURNALED, HELD_UNTIL_STORED]) {
      runs.push(await ModeRun.start(mode, { mqttUrl: broker.url, changes: { connection: CONNECTION } }));
    }
  });

  after(async () => {
    for (const run of runs) await run.remove();
    await broker.remove();
  });

  const inEachMode = async (what: (run: ModeRun) => Promise<void>): Promise<void> => {
    await Promise.all(runs.map(what));
  };

  /** As many messages more as a round has, or fewer, of every mode. */
  const nextMessages = (count?: number): Map<ModeRun, CrashMessage[]> => {
    const round = rounds++;
    return new Map(
      runs.map((run) => [run, messagesOf(run.root, run.mode.name, round).slice(0, count)] as const),
    );
  };

  const publish = async (messages: Map<ModeRun, CrashMessage[]>): Promise<void> => {
    await inEachMode((run) => run.publish(messages.get(run) ?? []));
  };

  const assertNoneLost = (
    allowed: 'duplicates' | 'no duplicates',
    ...published: Map<ModeRun, CrashMessage[]>[]
  ): Promise<void> =>
    inEachMode(async (run) => {
      for (const messages of published) await run.settle(messages.get(run) ?? []);
      const { lost, duplicates } = await run.books();
      assert.deepEqual(lost, [], run.mode.name);
      if (allowed === 'no duplicates') assert.equal(duplicates, 0, run.mode.name);
    });

  /** Waits until every Node-RED logs this. */
  const logged = async (pattern: RegExp): Promise<void> => {
    await inEachMode(async (run) => {
      const logs = run.members.map(({ instance }) => ({ instance, from: instance.process.log.length }));
      await run.until(`${String(pattern)} in the log`, () =>
        logs.every(({ instance, from }) => pattern.test(instance.process.log.slice(from))),
      );
    });
  };

  /** Publishes before and during an outage of the gateway, more than the broker lets anybody hold. */
  const outlast = async (begin: () => Promise<() => Promise<void>>, sign: RegExp): Promise<void> => {
    const [first, second] = [nextMessages(), nextMessages()];
    const published = publish(first);
    await inEachMode((run) =>
      run.until('the first objects of a round', async () => {
        const { lost } = await run.booksOf(first.get(run) ?? []);
        return lost.length < WINDOW;
      }),
    );
    const outage = logged(sign);
    const end = await begin();
    try {
      await published;
      await publish(second);
      await outage;
      const held = runs.at(-1)!.members[0]!.instance.ledger;
      assert.ok(held.open! <= WINDOW, `${held.open} records are held`);
    } finally {
      await end();
    }
    await assertNoneLost('no duplicates', first, second);
  };

  it('the gateway killed: all is stored once when it is back', () =>
    outlast(async () => {
      await killGateway();
      return startGateway;
    }, /The store cannot be reached.*tried again/));

  it('the gateway standing still for 30 s: all is stored once when it goes on', () =>
    outlast(async () => {
      const thaw = await freezeGateway();
      const since = performance.now();
      return async () => {
        await pause(since + FREEZE - performance.now());
        thaw();
      };
    }, /The store did not (answer in time|finish within).*tried again/));

  it('the broker killed while acknowledgements are held: they are void, and all is stored', async () => {
    const [first, second, third] = [nextMessages(WINDOW / 2), nextMessages(), nextMessages()];
    const proxies = runs.flatMap(({ members }) => members.map(({ proxy }) => proxy));
    for (const proxy of proxies) void proxy.holdUploads();
    await publish(first);
    await inEachMode((run) =>
      run.until('all to be taken', () => run.members[0]?.instance.ledger.received === run.published.size),
    );
    await broker.end('SIGKILL');
    const meanwhile = publish(second);
    await broker.run();
    await meanwhile;
    for (const proxy of proxies) proxy.pass();
    await publish(third);
    await assertNoneLost('duplicates', first, second, third);
  });
});
