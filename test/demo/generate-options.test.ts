import assert from 'node:assert/strict';

import { generateOptions } from '../../demo/generate-options';

const NOW = Date.UTC(2020, 1, 29, 12, 0, 0, 123);
const read = (line: string, env: Record<string, string> = {}) =>
  generateOptions(line === '' ? [] : line.split(' '), env, NOW);

describe('the options of npm run generate', () => {
  it('have defaults that fit a broker on this machine', () => {
    assert.deepEqual(read(''), {
      broker: 'mqtt://127.0.0.1:1883',
      username: undefined,
      password: undefined,
      qos: 1,
      plants: 3,
      stations: 20,
      rate: 100,
      count: 60_000,
      seconds: 600,
      start: Date.UTC(2020, 1, 29, 12),
      late: 0,
      duplicates: 0,
      gzip: 0,
      seed: 1,
      json: false,
    });
  });

  it('tell how many spots, and over which time', () => {
    const counts = (line: string) => {
      const { count, seconds } = read(line)!;
      return { count, seconds };
    };
    assert.deepEqual(counts('--rate 5000 --minutes 10'), { count: 3_000_000, seconds: 600 });
    assert.deepEqual(counts('--rate 50 --messages 1000'), { count: 1000, seconds: 20 });
    assert.deepEqual(counts('--rate 0 --messages 1000 --minutes 5'), { count: 1000, seconds: 300 });
  });

  it('take the start as the stations write it, and as ISO 8601', () => {
    const start = Date.UTC(2018, 9, 1, 17, 10, 35);
    assert.equal(generateOptions(['--start', '20181001 171035'], {}, NOW)?.start, start);
    assert.equal(read('--start 2018-10-01T17:10:35Z')?.start, start);
  });

  it('take user and password from the environment alone', () => {
    const { username, password } = read('', { MQTT_USERNAME: 'u', MQTT_PASSWORD: 'p' })!;
    assert.deepEqual([username, password], ['u', 'p']);
    assert.throws(() => read('--broker mqtt://u:p@127.0.0.1'), /set MQTT_USERNAME and MQTT_PASSWORD$/);
    assert.throws(
      () => read('--broker mqtt://u:secret@127.0.0.1'),
      (error: Error) => !error.message.includes('secret'),
    );
  });

  it('say what is wrong in a sentence', () => {
    for (const [line, error] of [
      ['--rate 0', /--rate 0 has no end by itself: say how many with --messages/],
      ['--qos 3', /--qos takes a number from 0 to 2, not "3"/],
      ['--plants 1.5', /--plants takes a whole number, not "1.5"/],
      ['--stations zero', /--stations takes a number from 1 to/],
      ['--late 101', /--late takes a number from 0 to 100/],
      ['--minutes 0', /--minutes takes a number from/],
      ['--start yesterday', /--start takes a time such as "20181001 171035"/],
      ['--broker localhost', /--broker takes a URL such as mqtt:\/\/127.0.0.1:1883, not "localhost"/],
      ['--broker http://127.0.0.1', /not "http:"/],
      ['--speed 5', /Unknown option '--speed'/],
    ] as const)
      assert.throws(() => read(line), error, line);
  });

  it('ask for help', () => assert.equal(read('--help'), undefined));
});
