/**
 * Calls someone else's code. What it throws is a mistake of its own: it is told as a warning of the process, and
 * neither ends that process nor keeps anyone else from being called.
 */
export function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
