import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { STATE_SIGNS } from '../../model/states';
import type { StateName } from '../../model/types';
import { h, replace } from '../dom';

const STATES: StateName[] = ['PENDING', 'RUNNING', 'SUCCESS', 'ERROR', 'CANCELED'];
const FILTER_WORDS = {
  PENDING: 'waiting',
  RUNNING: 'running',
  SUCCESS: 'succeeded',
  ERROR: 'failed',
  CANCELED: 'cancelled',
};

/** Draw the number of runs in each state as buttons, which filter the table. */
export function drawChips(
  chips: HTMLElement,
  rows: readonly RunRow[],
  filter: string,
  choose: (filter: string) => void,
): void {
  const counts = new Map<StateName, number>();
  for (const row of rows) counts.set(row.state, (counts.get(row.state) ?? 0) + 1);
  const present = STATES.filter((state) => counts.has(state));
  const key = present.map((state) => `${state} ${counts.get(state)}`).join() + filter;
  if (chips.dataset.key === key) return;
  const focused = (chips.ownerDocument.activeElement as HTMLElement | null)?.dataset.state;
  chips.dataset.key = key;
  const words = filter.split(/\s+/).filter((each) => each !== '');
  replace(
    chips,
    ...present.map((state) => {
      const word = `state:${FILTER_WORDS[state]}`;
      const isOn = words.includes(word);
      return h(
        'button',
        {
          type: 'button',
          class: `rw-badge rw-chip rw-${state.toLowerCase()}`,
          'aria-pressed': String(isOn),
          'data-state': state,
          onclick: () =>
            choose([...words.filter((each) => !each.startsWith('state:')), ...(isOn ? [] : [word])].join(' ')),
        },
        `${STATE_SIGNS[state]} ${counts.get(state)?.toLocaleString()} ${t(state)}`,
      );
    }),
  );
  if (focused) chips.querySelector<HTMLElement>(`[data-state="${focused}"]`)?.focus();
}
