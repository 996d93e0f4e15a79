/** A token of a time pattern: text that stands for itself, or a unit such as `yyyy`. */
export interface PatternToken {
  text: string;
  literal: boolean;
}

/**
 * Splits a pattern into tokens as luxon does: runs of one letter, and text in single quotes (`''` is a quote).
 * Whatever is no letter stands for itself.
 */
export function patternTokens(pattern: string): PatternToken[] {
  const tokens: PatternToken[] = [];
  let run = '';
  let quoted = false;
  const push = (text: string, literal: boolean): void => {
    tokens.push({ text, literal: literal || !/^[A-Za-z]/.test(text) });
  };
  for (const character of pattern) {
    if (character === "'") {
      if (run !== '' || quoted) push(run === '' ? "'" : run, quoted);
      run = '';
      quoted = !quoted;
    } else if (quoted || run === '' || run.startsWith(character)) {
      run += character;
    } else {
      push(run, false);
      run = character;
    }
  }
  if (run !== '') push(run, quoted);
  return tokens;
}

/** Units from small to large, as luxon names them. */
export const UNITS = ['millisecond', 'second', 'minute', 'hour', 'day', 'week', 'month', 'year'] as const;
export type Unit = (typeof UNITS)[number];

const UNIT_OF_LETTER: Record<string, Unit> = {
  S: 'millisecond',
  u: 'millisecond',
  s: 'second',
  m: 'minute',
  H: 'hour',
  h: 'hour',
  d: 'day',
  o: 'day',
  E: 'day',
  c: 'day',
  W: 'week',
  M: 'month',
  L: 'month',
  y: 'year',
  k: 'year',
};

// Without the tokens whose meaning depends on a locale, and without z: luxon remembers every zone name that it is
// given, for good, and these would come from payloads.
const TOKENS = new Set(
  'y yy yyyy yyyyyy M MM MMM MMMM L LL LLL LLLL d dd o ooo H HH h hh m mm s ss S SSS u a kkkk W WW E EEE EEEE c ccc cccc Z ZZ ZZZ'.split(
    ' ',
  ),
);

/** The first token that patterns may not have, or undefined. */
export function unknownToken(tokens: readonly PatternToken[]): string | undefined {
  return tokens.find((token) => !token.literal && !TOKENS.has(token.text))?.text;
}

/** The smallest unit that a pattern tells, or undefined when it tells none. */
export function smallestUnit(tokens: readonly PatternToken[]): Unit | undefined {
  const units = new Set(
    tokens.filter((token) => !token.literal).map((token) => UNIT_OF_LETTER[token.text.charAt(0)]),
  );
  return UNITS.find((unit) => units.has(unit));
}
