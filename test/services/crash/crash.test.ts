import assert from 'node:assert/strict';

import { MESSAGES } from './messages';
import { HELD_UNTIL_JOURNALED, JOURNAL, JOURNAL_AND_BACKUP, MODES } from './modes';
import { type RoundReport, runMode } from './suite';

const ROUNDS = 5;
/** On a machine with much else to do; a round takes 3 s otherwise. */
const TIMEOUT = 300_000;

const WITH_JOURNAL = [JOURNAL, JOURNAL_AND_BACKUP, HELD_UNTIL_JOURNALED];

describe('Node-RED killed at random moments, on Mosquitto and Ceph RGW', () => {
  const seed = Date.now() % 1_000_000;

  for (const [index, mode] of MODES.entries()) {
    it(`${mode.name}: ${mode.promised}, in ${ROUNDS} rounds`, async function () {
      this.timeout(TIMEOUT);
      const reports: RoundReport[] = [];
      const { result, broken, recovered } = await runMode(mode, ROUNDS, seed + index, (report) =>
        reports.push(report),
      );
      const hint = `again with: npm run crash -- --mode '${mode.name}' --seed ${seed}; the rounds: `;
      assert.deepEqual(broken, [], hint + JSON.stringify(reports, null, 1));
      assert.deepEqual([result.rounds, result.messages], [ROUNDS, ROUNDS * MESSAGES]);
      assert.equal(recovered > 0, WITH_JOURNAL.includes(mode), `${recovered} records were recovered`);
    });
  }
});
