import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';

import { type WeldMessage, weldMessages, type WeldOptions } from '../../demo/weld-messages';
import type { WeldSpot } from '../../demo/weld-station';

const DAY = 24 * 3600 * 1000;
const START = Date.UTC(2018, 9, 1);

function spotOf({ payload, gzip }: WeldMessage): WeldSpot {
  const text = (gzip ? gunzipSync(payload) : payload).toString();
  return (JSON.parse(text) as { weldspot: WeldSpot }).weldspot;
}

describe('the weld spots of the demo', () => {
  const make = (options: Partial<WeldOptions>): WeldMessage[] => [
    ...weldMessages({ count: 5000, ...options }),
  ];

  it('are the same for the same seed, and others for another', () => {
    assert.deepEqual(make({ seed: 7 }), make({ seed: 7 }));
    assert.notDeepEqual(make({ seed: 7 }), make({ seed: 8 }));
  });

  it('are the same spots, whatever is late, gzipped or published twice', () => {
    const plain = make({ start: START });
    const changed = make({ start: START, gzip: 30, duplicates: 10, late: 20 });
    const again = changed.filter(({ duplicate }) => duplicate);
    const once = changed.filter(({ duplicate }) => !duplicate);
    assert.equal(once.length, plain.length);
    once.forEach((message, n) => {
      const { topic, station, time } = plain[n]!;
      assert.equal(message.station, station);
      assert.equal(message.topic, message.gzip ? topic.replace('/NONE/', '/GZIP/') : topic);
      assert.equal(message.time, message.late ? time - DAY : time);
      const { Force, SpotId, ElectrodeWear } = spotOf(message);
      const own = spotOf(plain[n]!);
      assert.deepEqual([Force, SpotId, ElectrodeWear], [own.Force, own.SpotId, own.ElectrodeWear]);
    });
    const share = (some: number): number => Math.round((100 * some) / once.length);
    assert.ok(Math.abs(share(once.filter(({ gzip }) => gzip).length) - 30) <= 3);
    assert.ok(Math.abs(share(again.length) - 10) <= 2);
    // A station is late or not; it is never both.
    const late = new Set(once.filter((one) => one.late).map(({ plant, station }) => `${plant}/${station}`));
    assert.equal(late.size, 12);
    assert.ok(once.every((one) => one.late === late.has(`${one.plant}/${one.station}`)));
    // What is published twice is the same to the byte, and does not follow at once.
    for (const { topic, payload } of again) {
      const all = changed.flatMap((one, n) =>
        one.topic === topic && one.payload.equals(payload) ? [n] : [],
      );
      assert.ok(all.length >= 2);
      // Only at the very end there is nothing left to wait for.
      assert.ok(all.at(-1)! - all[0]! > 10 || all.at(-1)! > changed.length - 20);
    }
  });

  it('have one late station at least when any are late', () => {
    const late = make({ late: 0.1 }).filter((one) => one.late);
    assert.equal(new Set(late.map(({ plant, station }) => `${plant}/${station}`)).size, 1);
  });

  it('stay within the ranges that docs/welding-plant.md tells, and fit together', () => {
    const ranges: Partial<Record<keyof WeldSpot, [number, number]>> = {
      Voltage: [0.6, 2.5],
      Current: [8, 12.5],
      Resistance: [75, 215],
      Force: [1.9, 3.3],
      DurationMs: [270, 410],
      ElectrodeWear: [0, 3000],
    };
    let bad = 0;
    for (const seed of [1, 2, 3]) {
      for (const message of weldMessages({ count: 20_000, seconds: DAY / 1000, seed })) {
        const spot = spotOf(message);
        for (const [field, [low, high]] of Object.entries(ranges)) {
          const value = spot[field as keyof WeldSpot] as number;
          assert.ok(value >= low && value <= high, `${field} ${value}`);
        }
        assert.ok(Math.abs(spot.Voltage - (spot.Current * spot.Resistance) / 1000) < 0.001);
        if (spot.Quality === 'NOK') bad++;
      }
    }
    assert.ok(bad > 600 && bad < 1800, `${bad} of 60,000`);
  });

  it('show wear: of a station, worn electrodes have less resistance and more current', () => {
    const spots = make({ count: 8000, plants: 1, stations: 1, seconds: 600 }).map(spotOf);
    const top = Math.max(...spots.map(({ ElectrodeWear }) => ElectrodeWear));
    const mean = (field: 'Resistance' | 'Current', some: WeldSpot[]): number =>
      some.reduce((sum, spot) => sum + spot[field], 0) / some.length;
    const fresh = spots.filter(({ ElectrodeWear }) => ElectrodeWear < top / 4);
    const worn = spots.filter(({ ElectrodeWear }) => ElectrodeWear > (top * 3) / 4);
    assert.ok(mean('Resistance', worn) < mean('Resistance', fresh) * 0.94);
    assert.ok(mean('Current', worn) > mean('Current', fresh) * 1.05);
    // They are dressed, and begin anew.
    assert.ok(spots.some(({ ElectrodeWear }, n) => n > 0 && ElectrodeWear === 0));
  });

  it('show stations that differ', () => {
    const means = new Map<string, number[]>();
    for (const message of make({ count: 20_000, plants: 1 }))
      means.set(message.station, [...(means.get(message.station) ?? []), spotOf(message).Voltage]);
    const each = [...means.values()].map((all) => all.reduce((sum, one) => sum + one, 0) / all.length);
    assert.equal(each.length, 20);
    assert.ok(Math.max(...each) - Math.min(...each) > 0.2, each.join(' '));
  });
});
