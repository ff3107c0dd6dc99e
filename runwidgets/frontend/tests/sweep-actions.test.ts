// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import type { Transport } from '../src/model/transport';
import type { StateCounts, SweepHandle } from '../src/model/types';
import { sweepActions } from '../src/views/sweep/sweep-actions';

const COUNTS: StateCounts = { PENDING: 0, RUNNING: 0, SUCCESS: 1, ERROR: 2, CANCELED: 0 };

test('failed runs are started again as they were, or with the notebook of today', async () => {
  const send = vi.fn(() => Promise.resolve({}));
  const attempt = async (act: () => Promise<unknown>): Promise<void> => void (await act());
  const options = { transport: { send } as unknown as Transport, attempt, changed: vi.fn(), deleted: vi.fn() };
  const actions = sweepActions(options);
  actions.draw({ id: 's', isPaused: false } as SweepHandle, COUNTS, 3, '');
  const buttons = [...actions.element.querySelectorAll<HTMLButtonElement>('button')].slice(0, 2);

  for (const button of buttons) button.click();

  await vi.waitFor(() => expect(options.changed).toHaveBeenCalledTimes(2));
  expect(buttons.map((button) => button.textContent)).toEqual([
    'Run 2 failed or cancelled runs again',
    'Run with today’s notebook',
  ]);
  expect(send.mock.calls).toEqual([
    ['POST', 'sweeps/s/rerun', {}],
    ['POST', 'sweeps/s/rerun', { latest: true }],
  ]);
});
