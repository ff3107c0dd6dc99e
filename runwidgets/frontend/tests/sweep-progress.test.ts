import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RunRow } from '../src/model/runs/run-rows';
import { ApiError, type Transport } from '../src/model/transport';
import type { StateName, SweepHandle } from '../src/model/types';
import { sweepProgress } from '../src/views/sweep/sweep-progress';
import { sweepView } from '../src/views/sweep/sweep-view';
import { innerModel } from '../src/views/view';

const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + 1000 * seconds).toISOString();

function row(state: StateName, begun: number, ended: number | null): RunRow {
  const finishedAt = ended === null ? null : at(ended);
  return {
    id: 'a',
    state,
    createdAt: at(0),
    startedAt: at(begun),
    finishedAt,
    arguments: {},
    metrics: {},
    message: null,
  };
}

/** The elapsed time of a sweep with one run, at a moment. */
function elapsed(run: RunRow, moment: number): string | null {
  const progress = sweepProgress(() => Date.parse(at(moment)));
  const counts = { PENDING: 0, RUNNING: 0, SUCCESS: 0, ERROR: 0, CANCELED: 0, [run.state]: 1 };
  progress.draw({ createdAt: at(0), isPaused: false } as SweepHandle, [run], counts, 1);
  progress.close();
  return progress.elapsed.textContent;
}

describe('the duration of a sweep', () => {
  it('has tenths of a second if it is short', () => {
    expect(elapsed(row('SUCCESS', 0.1, 0.8), 9)).toBe('0.7 s');
    expect(elapsed(row('SUCCESS', 0, 12.3), 99)).toBe('12 s');
  });

  it('counts seconds while runs are active', () => {
    expect(elapsed(row('RUNNING', 0, null), 0.7)).toBe('0 s');
    expect(elapsed(row('RUNNING', 0, null), 187)).toBe('3:07');
  });
});

/** A transport whose server refuses every request, with an error of a class of its own. */
function refusing(error: Error): Transport {
  const refuse = (): Promise<never> => Promise.reject(error);
  return { clockAhead: 0, get: refuse, send: refuse, follow: () => () => undefined } as unknown as Transport;
}

describe('a sweep that the server does not have', () => {
  afterEach(() => vi.resetModules());

  it('is said to be missing, also if another bundle raised the error', async () => {
    vi.resetModules();
    const other = await import('../src/model/transport');
    expect(other.ApiError).not.toBe(ApiError);
    const missing = new other.ApiError('no', 404, 'UnknownSweepError');
    const root = document.createElement('div');

    const close = sweepView(root, {
      transport: refusing(missing),
      model: innerModel({ sweep_id: 's' }),
      inner: {} as never,
    });
    await vi.waitFor(() => expect(root.textContent).toContain('This server has no such sweep'));

    expect(root.textContent).toContain('in another root');
    expect(root.textContent).not.toContain('0 of 0 done');
    expect([missing instanceof ApiError, new Error('x') instanceof ApiError]).toEqual([true, false]);
    close();
  });
});
