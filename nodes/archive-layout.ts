import type { NodeAPI, NodeDef } from 'node-red';

import { Layout, type LayoutSettings } from '../lib/layout';
import { servePreviews } from './common/serve-previews';
import { migrate } from './common/settings-version';
import { type LayoutNode, numberOf } from './common/types';

interface Config extends NodeDef {
  topic: string;
  compressedLevel: string;
  decompress: boolean;
  decompressLimit: string | number;
  timeSource: 'arrival' | 'field';
  timeField: string;
  timeFormat: string;
  timeZone: string;
  key: string;
  buckets: { topic: string; bucket: string }[];
  unmatchedBucket: string;
  partition: LayoutSettings['partition'];
  objectName: string;
}

function settingsOf(config: Config): LayoutSettings {
  return {
    topic: config.topic,
    compressedLevel: config.compressedLevel,
    decompress: config.decompress,
    decompressLimit: Math.round(numberOf(config.decompressLimit, 4) * 1024 * 1024),
    time:
      config.timeSource === 'field'
        ? { source: 'field', field: config.timeField, format: config.timeFormat, zone: config.timeZone }
        : { source: 'arrival' },
    key: config.key,
    buckets: config.buckets,
    unmatchedBucket: config.unmatchedBucket,
    partition: config.partition,
    objectName: config.objectName,
  };
}

export = function (RED: NodeAPI): void {
  function ArchiveLayoutNode(this: LayoutNode, config: Config): void {
    RED.nodes.createNode(this, config);
    let layout: Layout | undefined;
    // Compiled on first use, so that whoever uses the layout tells what is wrong with it.
    Object.defineProperty(this, 'layout', {
      get: () => (layout ??= new Layout(settingsOf(migrate('archive-layout', config)))),
    });
  }
  RED.nodes.registerType('archive-layout', ArchiveLayoutNode);
  servePreviews(RED, (settings) => settingsOf(migrate('archive-layout', settings as Config)));
};
