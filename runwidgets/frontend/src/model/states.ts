/** The states of a run, as views show them. */
import type { StateName } from './types';

/** A symbol beside the name of each state, since colour alone is not enough. */
export const STATE_SIGNS: { [state in StateName]: string } = {
  PENDING: '◷',
  RUNNING: '▶',
  SUCCESS: '✓',
  ERROR: '✕',
  CANCELED: '■',
};

/** Say whether a run in a state is active. */
export const isActive = (state: StateName): boolean => state === 'PENDING' || state === 'RUNNING';
