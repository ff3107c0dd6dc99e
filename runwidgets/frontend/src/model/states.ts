/** What the states of a run mean to a view. */
import type { StateName } from './types';

/** A sign beside the word of each state: colour is never alone. */
export const STATE_SIGNS: { [state in StateName]: string } = {
  PENDING: '◷',
  RUNNING: '▶',
  SUCCESS: '✓',
  ERROR: '✕',
  CANCELED: '■',
};

/** Say whether a run has not ended yet. */
export const isActive = (state: StateName): boolean => state === 'PENDING' || state === 'RUNNING';
