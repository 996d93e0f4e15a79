import { setTimeout as pause } from 'node:timers/promises';

import type { Mosquitto } from '../../support/mosquitto';
import { freezeGateway, killGateway, startGateway } from '../daemons';
import type { Member } from './mode-run';

/** What faults happen to: one of the Node-REDs, and what all of them use. */
export interface Surroundings {
  member: Member;
  broker: Mosquitto;
  /** How long what stands still does, ms. */
  ms: number;
}

/** Something that goes wrong and is put right again; all works when it resolves. */
export interface Fault {
  name: string;
  happen(surroundings: Surroundings): Promise<void>;
}

/** One of each kind. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'Node-RED killed',
    async happen({ member: { instance } }) {
      await instance.kill();
      await instance.start();
    },
  },
  {
    name: 'Node-RED stopped and started',
    async happen({ member: { instance } }) {
      await instance.stop();
      await instance.start();
    },
  },
  {
    name: 'Node-RED standing still',
    async happen({ member: { instance }, ms }) {
      const thaw = instance.freeze();
      await pause(ms);
      thaw();
    },
  },
  {
    name: 'gateway killed',
    async happen({ ms }) {
      await killGateway();
      await pause(ms);
      await startGateway();
    },
  },
  {
    name: 'gateway standing still',
    async happen({ ms }) {
      const thaw = await freezeGateway();
      await pause(ms);
      thaw();
    },
  },
  {
    name: 'gateway slow',
    async happen({ member: { proxy }, ms }) {
      proxy.slow();
      await pause(ms);
      proxy.pass();
    },
  },
  {
    name: 'uploads stopped half-way, and cut',
    async happen({ member: { proxy }, ms }) {
      void proxy.holdUploads();
      await pause(ms);
      proxy.reset();
    },
  },
  {
    name: 'broker restarted',
    async happen({ broker, ms }) {
      await broker.end();
      await pause(ms / 4);
      await broker.run();
    },
  },
];
