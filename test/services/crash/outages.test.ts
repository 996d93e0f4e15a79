import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';

import { Mosquitto } from '../../support/mosquitto';
import { freezeGateway, killGateway, startGateway } from '../daemons';
import { messagesOf, MESSAGES } from './messages';
import { ModeRun } from './mode-run';
import { HELD_UNTIL_JOURNALED, HELD_UNTIL_STORED, JOURNAL, WINDOW } from './modes';

const FREEZE = 30_000; // ms
const TIMEOUT = 180_000; // ms
/** Of these Mosquitto saves its sessions at every change, so that a kill does not take them away as well. */
const BROKER = [`max_inflight_messages ${WINDOW}`, 'autosave_on_changes true', 'autosave_interval 1'];

describe('Outages on Mosquitto and Ceph RGW, with Node-RED running on', function () {
  this.timeout(TIMEOUT);
  const runs: ModeRun[] = [];
  let broker: Mosquitto;
  let rounds = 0;

  before(async () => {
    broker = await Mosquitto.start(BROKER);
    // Long before the outages: a gateway makes no buckets for half a minute after it was killed.
    for (const mode of [JOURNAL, HELD_UNTIL_JOURNALED, HELD_UNTIL_STORED]) {
      const changes = { connection: { connectTimeout: 2, requestTimeout: 2 } };
      runs.push(await ModeRun.start(mode, { mqttUrl: broker.url, changes }));
    }
  });

  after(async () => {
    for (const run of runs) await run.remove();
    await broker.remove();
  });

  /** Each mode publishes and takes a round of messages while `outage` happens; then all of them must be in S3. */
  const survive = async (
    outage: (run: ModeRun, started: Promise<void>) => Promise<void>,
    { duplicates }: { duplicates: 'none' | 'some' },
  ): Promise<void> => {
    const round = rounds++;
    await Promise.all(
      runs.map(async (run) => {
        const messages = messagesOf(run.root, run.mode.name, round);
        await Promise.all([outage(run, run.publish(messages)), run.publish(messages)]);
        await run.settle(messages, round);
        const books = await run.booksOf(messages, round);
        assert.deepEqual(books.lost, [], run.mode.name);
        if (duplicates === 'none') assert.equal(books.duplicates, 0, run.mode.name);
      }),
    );
  };
  void survive; void pause; void freezeGateway; void killGateway; void startGateway; void FREEZE; void MESSAGES;
});
