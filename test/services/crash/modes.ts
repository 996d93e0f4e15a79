import { ackInFlow, backupFlow, controlTopic, type FlowChanges, mqttInFlow, type Place } from './flow';
import type { Flow } from './instance';
import { type Moment, MOMENTS, WHILE_RECOVERING, WHILE_STANDING_IN, WHILE_TAKING } from './moments';

/** What a mode promises of a message that the broker has acknowledged to its publisher. */
export type Promised = 'nothing' | 'up to one commit' | 'none lost';

/** One Node-RED of a mode. */
export interface Role {
  name: string;
  flow(place: Place, changes: FlowChanges): Flow;
  /** Topic filters that the broker keeps messages for from the beginning. */
  filters(root: string): string[];
  /** When it is killed. */
  moments: readonly Moment[];
}

/** A row of the table in docs/delivery.md. */
export interface Mode {
  name: string;
  promised: Promised;
  roles: readonly Role[];
}

/** Unacknowledged messages that the test broker allows a client, see services/mosquitto.sh. */
export const WINDOW = 1000;
/** Seconds after which the backup stores what nobody announced. */
const BACKUP_TIMEOUT = 2;

const all = (root: string): string[] => [`${root}/#`];

function converter(flow: Role['flow']): Role {
  return { name: 'converter', flow, filters: all, moments: MOMENTS };
}

function withBatches(settings: Record<string, unknown>, changes: FlowChanges): FlowChanges {
  return { ...changes, batches: { ...settings, ...changes.batches } };
}

export const MEMORY: Mode = {
  name: 'memory',
  promised: 'nothing',
  roles: [converter(mqttInFlow)],
};

export const JOURNAL: Mode = {
  name: 'journal',
  promised: 'up to one commit',
  roles: [
    converter((place, changes) =>
      mqttInFlow(place, withBatches({ journal: true, completion: 'journaled' }, changes)),
    ),
  ],
};

export const JOURNAL_AND_BACKUP: Mode = {
  name: 'journal and backup',
  promised: 'none lost',
  roles: [
    converter((place, changes) =>
      mqttInFlow(place, withBatches({ journal: true, controlTopic: controlTopic(place.root) }, changes)),
    ),
    {
      name: 'backup',
      flow: (place, changes) => backupFlow(place, withBatches({ timeout: BACKUP_TIMEOUT }, changes)),
      filters: (root) => [...all(root), controlTopic(root)],
      moments: [WHILE_TAKING, WHILE_RECOVERING, WHILE_STANDING_IN],
    },
  ],
};

export const HELD_UNTIL_JOURNALED: Mode = {
  name: 'held until journaled',
  promised: 'none lost',
  roles: [
    converter((place, changes) =>
      ackInFlow(place, { acknowledge: 'journaled', window: WINDOW }, withBatches({ journal: true }, changes)),
    ),
  ],
};

export const HELD_UNTIL_STORED: Mode = {
  name: 'held until stored',
  promised: 'none lost',
  roles: [
    converter((place, changes) => ackInFlow(place, { acknowledge: 'stored', window: WINDOW }, changes)),
  ],
};

/** In the order of the table. */
export const MODES: readonly Mode[] = [
  MEMORY,
  JOURNAL,
  JOURNAL_AND_BACKUP,
  HELD_UNTIL_JOURNALED,
  HELD_UNTIL_STORED,
];
