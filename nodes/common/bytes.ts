/** Node-RED's `RED`, of the runtime or of the editor, with the language in force. */
interface Translator {
  _: (key: string, values: never) => string;
}

const UNITS = ['kB', 'MB', 'GB', 'TB'];
/** As the catalogues write numbers; it is the same in all of them, so that none has it. */
const TENTHS = '__value, number(minimumFractionDigits: 1; maximumFractionDigits: 1; useGrouping: false)__';

/** Bytes for people: `12.3 MB`, or `12,3 MB` where people write a comma. */
export function bytesText(RED: Translator, bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1000;
  // Rounded here, for Intl takes 1.15 for exactly that, which the number is not.
  const tenths = value.toFixed(1);
  const text = RED._(tenths, { defaultValue: TENTHS, value: Number(tenths) } as never);
  return `${text} ${UNITS[unit] ?? ''}`;
}
