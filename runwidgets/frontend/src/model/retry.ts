/** Pauses between tries to reach a server. */

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

/** Return the pause before the next try, in milliseconds: doubled each time, up to a limit. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.max(0, failures - 1));
}
