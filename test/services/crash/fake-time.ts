import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

const LIBRARIES = '/usr/lib';
const NAME = 'faketime/libfaketimeMT.so.1';

/**
 * Variables with which a process sees another time of day, as when its machine's clock is set; what it measures with
 * the clock that never runs backwards, timers say, goes on.
 * @param file that tells how many seconds the time is off, such as `-3600`; may be changed while the process runs
 */
export function fakeTime(file: string): Record<string, string> {
  const library = readdirSync(LIBRARIES)
    .map((name) => path.join(LIBRARIES, name, NAME))
    .find((candidate) => existsSync(candidate));
  if (library === undefined) {
    throw new Error('libfaketime is missing: apt-get install -y --no-install-recommends libfaketime');
  }
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };
}
