import assert from 'node:assert/strict';
import fc from 'fast-check';
import { TopicFilter } from '../../../lib/layout/topic-filter';
import { TopicPattern } from '../../../lib/layout/topic-pattern';

function levels(pattern: string, topic: string): Record<string, string> | undefined {
  const compiled = new TopicPattern(pattern);
  const values = compiled.match(topic);
  return values && Object.fromEntries(compiled.names.map((name, index) => [name, values[index]!]));
}

describe('topic pattern', () => {
  it('names each level in the plain style', () => {
    assert.deepEqual(levels('ROOT/PLANT-ID/DEVICE-ID', 'a/b/c'), {
      ROOT: 'a',
      'PLANT-ID': 'b',
      'DEVICE-ID': 'c',
    });
    assert.equal(levels('ROOT/PLANT-ID', 'a'), undefined);
    assert.equal(levels('ROOT/PLANT-ID', 'a/b/c'), undefined);
    assert.deepEqual(levels('ROOT/PLANT-ID', '/'), { ROOT: '', 'PLANT-ID': '' });
  });

  it('takes plain words as fixed as soon as a level begins with +', () => {
    assert.deepEqual(levels('plants/+PLANT-ID/+', 'plants/7/x'), { 'PLANT-ID': '7' });
    assert.equal(levels('plants/+PLANT-ID/+', 'Plants/7/x'), undefined);
    assert.deepEqual(levels('plants/+', 'plants/7'), {});
    assert.deepEqual(levels('/+A', '/7'), { A: '7' });
  });

  it('takes quoted levels as fixed in either style', () => {
    assert.deepEqual(levels('"ROOT"/PLANT-ID', 'ROOT/7'), { 'PLANT-ID': '7' });
    assert.equal(levels('"ROOT"/PLANT-ID', 'root/7'), undefined);
    assert.deepEqual(levels('"+x"/+A', '+x/7'), { A: '7' });
  });

  it('lets # take any rest, also none', () => {
    assert.deepEqual(levels('A/#', 'x'), { A: 'x' });
    assert.deepEqual(levels('A/#', 'x/y/z'), { A: 'x' });
    assert.deepEqual(levels('A/#REST', 'x/y/z'), { A: 'x', REST: 'y/z' });
    assert.deepEqual(levels('A/#REST', 'x'), { A: 'x', REST: '' });
    assert.equal(levels('A/B/#', 'x'), undefined);
    assert.deepEqual(levels('', 'x/y'), {});
    assert.deepEqual(levels('', ''), {});
  });

  it('refuses patterns that cannot work, saying why', () => {
    const wrong: [string, RegExp][] = [
      ['A/A', /names two levels "A"/],
      ['A/#A', /names two levels "A"/],
      ['A/#/B', /a # stands before the end/],
      ['A//B', /the level "" is no name/],
      ['A B', /the level "A B" is no name/],
      ['A/{{B}}', /is no name/],
      ['-A', /is no name/],
      ['__proto__', /is no name/],
      ['+A/b+', /holds what no topic can/],
      ['+A/b\0', /holds what no topic can/],
      ['+A+', /is no name/],
      ['topic', /is called "topic"/],
      ['A/#time', /is called "time"/],
      ['payload.x', /is called "payload.x"/],
    ];
    for (const [pattern, message] of wrong) {
      assert.throws(() => new TopicPattern(pattern), { code: 'LAYOUT_INVALID', message }, pattern);
    }
  });

  it('matches any topic without throwing', () => {
    const pattern = new TopicPattern('A/"b"/C/#D');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (topic) => {
        const values = pattern.match(topic);
        assert.equal(values !== undefined, topic.split('/').length >= 3 && topic.split('/')[1] === 'b');
      }),
    );
  });
});

/** The specification's rules, word by word. */
function mqttMatches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const wanted = filter.split('/');
  const given = topic.split('/');
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (index >= given.length) return false;
    if (level !== '+' && level !== given[index]) return false;
    if (index === given.length - 1 && wanted[index + 1] === '#' && wanted.length === index + 2) return true;
  }
  return wanted.length === given.length;
}

describe('topic filter', () => {
  it('matches as MQTT does', () => {
    const cases: [string, string, boolean][] = [
      ['sport/tennis/player1/#', 'sport/tennis/player1', true],
      ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
      ['sport/#', 'sport', true],
      ['sport/+', 'sport', false],
      ['sport/+', 'sport/', true],
      ['+/+', '/finance', true],
      ['+', '/finance', false],
      ['#', '$SYS/x', false],
      ['+/monitor/Clients', '$SYS/monitor/Clients', false],
      ['$SYS/#', '$SYS/x', true],
      ['#', '', true],
      ['a', 'A', false],
    ];
    for (const [filter, topic, expected] of cases) {
      assert.equal(TopicFilter.parse(filter)?.matches(topic), expected, `${filter} ${topic}`);
    }
  });

  it('refuses what is no filter', () => {
    for (const text of ['', 'a/#/b', 'a#', 'a+', '+a', 'a/b#', '##', 'a\0']) {
      assert.equal(TopicFilter.parse(text), undefined, text);
    }
  });

  const level = fc.constantFrom('a', 'b', '', '$x');
  const filter = fc
    .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([all, open]) => (open ? [...all.slice(1), '#'] : all).join('/'))
    .filter((text) => text !== '');

  it('matches as the specification says, for any filter and topic', () => {
    const topic = fc.array(level, { minLength: 1, maxLength: 5 }).map((all) => all.join('/'));
    fc.assert(
      fc.property(filter, topic, (f, t) =>
        assert.equal(TopicFilter.parse(f)?.matches(t), mqttMatches(f, t), `${f} ${t}`),
      ),
      { numRuns: 2000 },
    );
  });

  it('covers a set of topics as it matches each of them', () => {
    const partial = fc.record({
      levels: fc.array(fc.option(level, { nil: undefined }), { minLength: 1, maxLength: 3 }),
      open: fc.boolean(),
    });
    fc.assert(
      fc.property(filter, partial, (f, set) => {
        const members: string[] = [];
        const fill = (index: number, so: string[]): void => {
          if (index === set.levels.length) {
            members.push(so.join('/'));
            if (set.open)
              members.push(
                [...so, 'a'].join('/'),
                [...so, 'a', 'b'].join('/'),
                [...so, 'b', 'a', 'b', 'a'].join('/'),
              );
            return;
          }
          const known = set.levels[index];
          for (const text of known === undefined ? ['a', 'b', '', '$x'] : [known])
            fill(index + 1, [...so, text]);
        };
        fill(0, []);
        const matching = members.filter((topic) => mqttMatches(f, topic)).length;
        const covered = TopicFilter.parse(f)?.covers(set);
        if (covered === 'none') assert.equal(matching, 0, f);
        const unasked = members.filter((topic) => set.levels[0] === undefined && topic.startsWith('$'));
        if (covered === 'all') assert.ok(matching >= members.length - unasked.length, f);
        if (matching === 0 && !set.open) assert.equal(covered, 'none', f);
      }),
      { numRuns: 2000 },
    );
  });
});
