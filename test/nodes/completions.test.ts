import assert from 'node:assert/strict';

import { fieldPathText } from '../../lib/layout/field-path';
import {
  type Completion,
  nameCompletions,
  partCompletions,
  payloadFields,
  templateCompletions,
} from '../../nodes/common/completions';

const NAMES = ['PLANT-ID', 'DEVICE-ID', 'topic', 'payload.line'];

/** Texts with | where the caret stands. */
function shown(completions: readonly Completion[]): string[] {
  return completions.map(({ text, caret }) => `${text.slice(0, caret)}|${text.slice(caret)}`);
}

function complete(
  find: (text: string, caret: number, names: readonly string[]) => Completion[],
  text: string,
  names: readonly string[] = NAMES,
): string[] {
  return shown(find(text.replace('|', ''), text.indexOf('|'), names));
}

describe('completions', () => {
  it('of a template are the variables, once braces are open', () => {
    assert.deepEqual(complete(templateCompletions, 'plant-{{|', ['A', 'B']), [
      'plant-{{A}}|',
      'plant-{{B}}|',
    ]);
    assert.deepEqual(complete(templateCompletions, 'plant-{{pl|'), ['plant-{{PLANT-ID}}|']);
    assert.deepEqual(complete(templateCompletions, '{{id|'), ['{{PLANT-ID}}|', '{{DEVICE-ID}}|']);
    for (const text of ['|', 'plant|', 'plant-{|', '{{PLANT-ID}}|', '{{nothing|']) {
      assert.deepEqual(complete(templateCompletions, text), [], text);
    }
  });

  it('of a template keep what stands around the variable', () => {
    assert.deepEqual(complete(templateCompletions, '{{to|}}/x'), ['{{topic}}|/x']);
    assert.deepEqual(complete(templateCompletions, '{{to|/x-{{batch}}'), ['{{topic}}|/x-{{batch}}']);
    assert.deepEqual(complete(templateCompletions, '{{a}}-{{de|}}-{{b}}'), ['{{a}}-{{DEVICE-ID}}|-{{b}}']);
    // What is there already is no completion.
    assert.deepEqual(complete(templateCompletions, '{{topic|}}'), []);
  });

  it('have those first that begin with what was written', () => {
    assert.deepEqual(complete(templateCompletions, '{{p|'), [
      '{{PLANT-ID}}|',
      '{{payload.line}}|',
      '{{topic}}|',
    ]);
  });

  it('of a key are the parts between slashes', () => {
    assert.deepEqual(complete(partCompletions, 'de|'), ['DEVICE-ID|']);
    assert.deepEqual(complete(partCompletions, 'PLANT-ID/to|/time'), ['PLANT-ID/topic|/time']);
    assert.deepEqual(complete(partCompletions, 'PLANT-ID|/time', ['PLANT-ID']), []);
  });

  it('of a field are whole names', () => {
    assert.deepEqual(shown(nameCompletions('time', ['weldspot.Timestamp', 'line'])), ['weldspot.Timestamp|']);
    assert.deepEqual(nameCompletions('line', ['line']), []);
  });

  it('know the fields of a payload', () => {
    const payload = { line: 1, spot: { name: 'a', 'odd name': true, none: null, curve: [1, 2, 3, 4] } };
    assert.deepEqual(payloadFields(JSON.stringify(payload)).map(fieldPathText), [
      'line',
      'spot.name',
      'spot["odd name"]',
      'spot.curve.0',
      'spot.curve.1',
      'spot.curve.2',
    ]);
    for (const text of ['', 'x', '1', 'null', '"a"']) assert.deepEqual(payloadFields(text), [], text);
  });

  it('look into a payload no further than is of use', () => {
    const deep = '{"a":'.repeat(50) + '1' + '}'.repeat(50);
    assert.deepEqual(payloadFields(deep), []);
    const wide = JSON.stringify(
      Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`f${index}`, 1])),
    );
    assert.equal(payloadFields(wide).length, 100);
  });
});
