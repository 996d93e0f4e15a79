import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import type { NodeMessage } from 'node-red';

import type { WeldSpot } from '../../demo/weld-station';
import { sink } from '../support/flow';
import { useFlows } from '../support/node-red-helper';
import type { FlowNode } from '../support/node-red-process';

const EXAMPLE = path.resolve(__dirname, '../../../examples/weld-generator.json');

/** The tab and the function node as they stand in the file, with some settings of the tab changed. */
function theFlow(env: Record<string, string>): { flow: FlowNode[]; spots: string } {
  const nodes = JSON.parse(readFileSync(EXAMPLE, 'utf8')) as FlowNode[];
  const tab = nodes.find(({ type }) => type === 'tab')!;
  const spots = nodes.find(({ type }) => type === 'function')!;
  const settings = tab.env as { name: string; value: string }[];
  const changed = settings.map((one) => ({ ...one, value: env[one.name] ?? one.value }));
  const flow = [
    { ...tab, env: changed },
    { ...spots, wires: [['sink']] },
    { ...sink(), z: tab.id },
  ];
  return { flow, spots: spots.id };
}

function spotOf({ payload }: NodeMessage): WeldSpot {
  return (payload as { weldspot: WeldSpot }).weldspot;
}

describe('the example that publishes weld spots', () => {
  const runner = useFlows();

  /** What it sends in so many seconds. */
  async function spots(env: Record<string, string>, seconds: number): Promise<NodeMessage[]> {
    const { flow, spots: node } = theFlow({ START: '20181001 235958', DUPLICATES: '0', LATE: '0', ...env });
    await runner.current.unload();
    await runner.current.load(flow);
    const before = runner.current.received('sink').length;
    for (let n = 0; n < seconds; n++) assert.equal(await runner.current.send(node, {}), undefined);
    const count = seconds * Number(env.RATE ?? 20);
    return (await runner.current.receives('sink', before + count)).slice(before);
  }

  it('makes the same spots from the same seed, second by second', async () => {
    const content = (messages: NodeMessage[]) =>
      messages.map(({ topic, payload }) => JSON.stringify({ topic, payload }));
    const first = await spots({}, 3);
    assert.equal(first.length, 60);
    assert.deepEqual(
      [...new Set(first.map((message) => spotOf(message).Timestamp))],
      ['20181001 235958', '20181001 235959', '20181002 000000'],
    );
    for (const { topic } of first)
      assert.match(topic!, /^ROOT\/JSON\/NONE\/PLANT-[123]\/WELDING-STATION-\d+\/WELD\/1$/);
    assert.deepEqual(content(await spots({}, 3)), content(first));
    assert.notDeepEqual(content(await spots({ SEED: '2' }, 3)), content(first));
  });

  it('begins again when it is told to', async () => {
    const first = (await spots({}, 2)).map(({ payload }) => payload);
    const { spots: node } = theFlow({});
    await runner.current.send(node, { restart: true });
    const before = runner.current.received('sink').length;
    for (let n = 0; n < 2; n++) await runner.current.send(node, {});
    const again = (await runner.current.receives('sink', before + 40)).slice(before);
    assert.deepEqual(
      again.map(({ payload }) => payload),
      first,
    );
  });

  it('has late stations and duplicates, as many as asked for', async () => {
    const late = await spots({ LATE: '100', RATE: '10' }, 1);
    assert.ok(late.every((message) => spotOf(message).Timestamp === '20180930 235958'));
    const some = await spots({ LATE: '30', RATE: '300' }, 1);
    const days = new Map<string, string>();
    for (const message of some) {
      const { Timestamp } = spotOf(message);
      assert.equal(days.get(message.topic!) ?? Timestamp, Timestamp, 'a station is late or not');
      days.set(message.topic!, Timestamp);
    }
    assert.equal(new Set(days.values()).size, 2);
    const { flow, spots: node } = theFlow({ DUPLICATES: '100', RATE: '5' });
    await runner.current.deploy(flow);
    const before = runner.current.received('sink').length;
    await runner.current.send(node, {});
    const twice = (await runner.current.receives('sink', before + 10)).slice(before);
    for (let n = 0; n < 10; n += 2) assert.deepEqual(twice[n]!.payload, twice[n + 1]!.payload);
  });

  it('stays within the ranges of docs/welding-plant.md', async () => {
    for (const message of await spots({ RATE: '1000' }, 2)) {
      const { Voltage, Current, Resistance, Force, DurationMs } = spotOf(message);
      assert.ok(Math.abs(Voltage - (Current * Resistance) / 1000) < 0.001);
      assert.ok(Current >= 8 && Current <= 12.5 && Resistance >= 75 && Resistance <= 215);
      assert.ok(Force >= 1.9 && Force <= 3.3 && DurationMs >= 270 && DurationMs <= 410);
    }
  });
});
