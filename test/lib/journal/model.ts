import fc from 'fast-check';

import type { Journal, JournalBatch } from '../../../lib/journal';
import { append, settle, type TestRecord } from './support';

/** One step of a test; `batch` and `source` choose among those that there are. */
export type Step =
  | { do: 'open'; description: string }
  | { do: 'source'; batch: number; topic: string; series: string }
  | {
      do: 'append';
      batch: number;
      source: number;
      record: Omit<TestRecord, 'topic' | 'series'>;
      times: number;
    }
  | { do: 'seal'; batch: number; description: string }
  | { do: 'forget'; batch: number }
  | { do: 'commit' }
  | { do: 'rest' };

const choice = fc.nat(1000);
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const record = fc.record({
  time: fc.oneof(fc.double(), fc.nat(), fc.constant(1538413835000.25)).filter((time) => !Number.isNaN(time)),
  flags: fc.nat(0xffffffff),
  text: fc.oneof(text, fc.string({ minLength: 100, maxLength: 400 })),
  lineBreaks: fc.option(fc.array(fc.nat(0xffffffff), { maxLength: 4 }), { nil: undefined, freq: 3 }),
});

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ do: fc.constant('open' as const), description: text }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('source' as const), batch: choice, topic: text, series: text }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('append' as const),
        batch: choice,
        source: choice,
        record,
        times: fc.integer({ min: 1, max: 3 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('seal' as const), batch: choice, description: text }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('forget' as const), batch: choice }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('rest' as const) }) },
  ),
  { minLength: 5, maxLength: 60 },
);

const note = { time: 1, flags: 2, text: 'note', lineBreaks: undefined };
const bulk = { ...note, text: 'bulk '.repeat(60) };

/** Batches that come and go while the first stays: what it has in each segment is copied together in the end. */
export const churn: fc.Arbitrary<Step[]> = fc
  .array(fc.record({ held: fc.integer({ min: 1, max: 3 }), bulk: fc.nat(15), source: fc.boolean() }), {
    minLength: 8,
    maxLength: 25,
  })
  .map((rounds) => [
    { do: 'open' as const, description: 'held' },
    ...rounds.flatMap((round, number): Step[] => [
      ...(number === 0 || round.source
        ? [{ do: 'source' as const, batch: 0, topic: `topic ${number}`, series: 'series' }]
        : []),
      { do: 'append', batch: 0, source: number, record: note, times: round.held },
      { do: 'open', description: 'passing' },
      { do: 'source', batch: 1, topic: 'topic', series: 'series' },
      { do: 'append', batch: 1, source: 0, record: bulk, times: round.bulk },
      { do: 'commit' },
      { do: 'append', batch: 0, source: 0, record: note, times: round.held },
      { do: 'forget', batch: 1 },
      { do: 'commit' },
      { do: 'rest' },
      { do: 'rest' },
      { do: 'rest' },
    ]),
  ]);

/** How far a batch has come. */
export interface Extent {
  records: number;
  isSealed: boolean;
  isForgotten: boolean;
}

export class ModelBatch {
  readonly sources: { topic: string; series: string }[] = [];
  readonly records: TestRecord[] = [];
  seal: string | undefined;
  isForgotten = false;
  /** What is known to be on disk; undefined when nothing is. */
  committed: Extent | undefined;

  constructor(
    readonly id: string,
    readonly description: string,
    readonly batch: JournalBatch,
  ) {}

  get extent(): Extent {
    return {
      records: this.records.length,
      isSealed: this.seal !== undefined,
      isForgotten: this.isForgotten,
    };
  }
}

/** What a journal was told, beside the journal. */
export class Model {
  readonly batches: ModelBatch[] = [];
  #opened = 0;

  constructor(
    private readonly journal: Journal,
    private readonly options: { mayFail?: boolean } = {},
  ) {}

  async run(all: readonly Step[]): Promise<void> {
    for (const step of all) {
      if (step.do === 'commit') await this.commit();
      else if (step.do === 'rest') await settle(10);
      else this.#tell(step);
    }
  }

  /** Goes on with a batch that was recovered. */
  takeOver(before: ModelBatch, batch: JournalBatch): void {
    const taken = new ModelBatch(before.id, before.description, batch);
    taken.sources.push(...before.sources);
    taken.records.push(...before.records);
    taken.seal = before.seal;
    taken.committed = taken.extent;
    this.batches.push(taken);
    this.#opened = Number(before.id.slice(6)) + 1;
  }

  async commit(): Promise<void> {
    const extents = this.batches.map((batch) => ({ batch, extent: batch.extent }));
    try {
      await this.journal.commit();
    } catch (error) {
      if (!this.options.mayFail) throw error;
      return;
    }
    for (const { batch, extent } of extents) batch.committed = extent;
  }

  #tell(step: Exclude<Step, { do: 'commit' | 'rest' }>): void {
    if (step.do === 'open') {
      const id = `batch ${this.#opened++}`;
      const batch = this.journal.openBatch(id, step.description);
      this.batches.push(new ModelBatch(id, step.description, batch));
      return;
    }
    const living = this.batches.filter(({ isForgotten }) => !isForgotten);
    const chosen = living[step.batch % living.length];
    if (!chosen) return;
    if (step.do === 'forget') {
      chosen.isForgotten = true;
      chosen.batch.forget();
    }
    if (chosen.isForgotten || chosen.seal !== undefined) return;
    if (step.do === 'source') {
      chosen.batch.addSource(step.topic, step.series);
      chosen.sources.push({ topic: step.topic, series: step.series });
    } else if (step.do === 'seal') {
      chosen.seal = step.description;
      chosen.batch.seal(step.description);
    } else if (step.do === 'append') {
      const number = step.source % chosen.sources.length;
      const source = chosen.sources[number];
      if (!source) return;
      for (let time = 0; time < step.times; time++) {
        const numbered = { ...step.record, text: `${chosen.records.length} ${step.record.text}` };
        append(chosen.batch, number, numbered);
        chosen.records.push({ ...numbered, ...source });
      }
    }
  }
}
