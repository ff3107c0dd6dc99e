import { clock, took } from '../../model/format';
import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { isActive, STATE_SIGNS } from '../../model/states';
import { begunAt, estimate } from '../../model/sweep/remaining-time';
import type { StateCounts, StateName, SweepHandle } from '../../model/types';
import { h, replace } from '../dom';

/** The states in the order of the bar. */
export const STATES: StateName[] = ['SUCCESS', 'ERROR', 'CANCELED', 'RUNNING', 'PENDING'];

/** How far a sweep is: a bar of states, the same in words, and the elapsed time. */
export interface SweepProgress {
  bar: HTMLElement;
  tally: HTMLElement;
  elapsed: HTMLElement;
  draw(sweep: SweepHandle, rows: readonly RunRow[], counts: StateCounts, total: number): void;
  close(): void;
}

/** Make the progress of a sweep; `now` is the time of the server in milliseconds. */
export function sweepProgress(now: () => number): SweepProgress {
  const bar = h('div', { class: 'rw-stack', role: 'img' });
  const tally = h('div', { class: 'rw-tally', role: 'status' });
  const elapsed = h('span', { class: 'rw-elapsed' });
  let ticking: ReturnType<typeof setInterval> | undefined;

  function tick(sweep: SweepHandle, rows: readonly RunRow[]): void {
    const begun = begunAt(rows, sweep.createdAt);
    const isGoingOn = rows.some((row) => isActive(row.state));
    const end = isGoingOn
      ? now()
      : rows.reduce((latest, row) => Math.max(latest, Date.parse(row.finishedAt ?? '') || 0), 0);
    const say = isGoingOn ? clock : took; // tenths would only flicker while the time is counted
    elapsed.textContent = begun === null ? '' : say((end - begun) / 1000);
  }

  return {
    bar,
    tally,
    elapsed,
    close: () => clearInterval(ticking),
    draw(sweep, rows, counts, total) {
      const done = total - counts.PENDING - counts.RUNNING;
      const present = STATES.filter((state) => counts[state] > 0);
      replace(
        bar,
        ...present.map((state) =>
          h('span', {
            class: `rw-part-of rw-of-${state.toLowerCase()}`,
            style: `width: ${(100 * counts[state]) / Math.max(1, total)}%`,
          }),
        ),
      );
      const parts = present.map(
        (state) => `${STATE_SIGNS[state]}\u00a0${counts[state].toLocaleString('en')}\u00a0${t(state).toLowerCase()}`,
      );
      bar.setAttribute('aria-label', [t('doneOf', { n: done, all: total }), ...parts].join(', '));
      const isPaused = sweep.isPaused && counts.PENDING > 0;
      const left = isPaused ? null : estimate(rows, sweep.createdAt, now());
      const line = [
        t('doneOf', { n: done.toLocaleString('en'), all: total.toLocaleString('en') }),
        ...parts,
        isPaused ? t('isPaused') : '',
        left ? t('leftOf', { time: clock(left.seconds), n: left.basis }) : '',
      ]
        .filter((each) => each !== '')
        .join(' · ');
      if (tally.textContent !== line) tally.textContent = line;
      tick(sweep, rows);
      clearInterval(ticking);
      if (counts.PENDING + counts.RUNNING > 0) ticking = setInterval(() => tick(sweep, rows), 1000);
    },
  };
}
