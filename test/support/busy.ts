/** Holds the event loop for so many ms, as a user's flow may. */
export function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
