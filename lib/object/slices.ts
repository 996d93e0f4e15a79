/** Records that are worked on between two turns of the event loop: well under a millisecond, a few before code is warm. */
const SLICE = 2048;

/** Lets the event loop turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Works through `count` items in slices `[start, end)`, and lets the event loop turn after each. */
export async function inSlices(count: number, work: (start: number, end: number) => void): Promise<void> {
  for (let start = 0; start < count; start += SLICE) {
    work(start, Math.min(start + SLICE, count));
    await nextTurn();
  }
}
