import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { JsonValue, StateCounts, SweepHandle } from '../../model/types';
import { h, replace } from '../dom';
import { askingButton } from '../question';
import { typedFor } from '../table/bulk-actions';

interface SweepActionOptions {
  transport: Transport;
  /** Do something, and show the error of a refused request. */
  attempt(act: () => Promise<unknown>): Promise<void>;
  /** Called with the sweep as it is after an action. */
  changed(sweep: SweepHandle): void;
  deleted(): void;
}

export interface SweepActions {
  element: HTMLElement;
  /** Draw what can be done with a sweep; `refusal` is shown instead of that. */
  draw(sweep: SweepHandle, counts: StateCounts, total: number, refusal: string): void;
  /** Draw again the next time, whatever has changed. */
  reset(): void;
}

/** The buttons that pause, resume, cancel, repeat and delete the runs of a sweep. */
export function sweepActions({ transport, attempt, changed, deleted }: SweepActionOptions): SweepActions {
  const element = h('div', { class: 'rw-actions' });
  let shown: SweepHandle | null = null;
  const post = (what: string, body?: JsonValue): Promise<void> =>
    attempt(async () => changed(await transport.send<SweepHandle>('POST', `sweeps/${shown?.id}/${what}`, body)));
  const pauser = h('button', {
    type: 'button',
    class: 'rw-button',
    onclick: () => void post('pause', { paused: !shown?.isPaused }),
  });

  const reset = (): void => {
    delete element.dataset.key;
  };

  function asking(
    label: string,
    ask: string,
    act: () => Promise<unknown>,
    confirmation: { yes: string; busy: string } = { yes: t('cancelYes'), busy: t('cancelling') },
    more: { kind?: string; typed?: ReturnType<typeof typedFor> } = {},
  ): HTMLElement {
    return askingButton({ label, ask: () => ask, no: t('no'), ...confirmation, ...more }, async () => {
      await attempt(act);
      reset();
    });
  }

  return {
    element,
    reset,
    draw(sweep, counts, total, refusal) {
      shown = sweep;
      const { id, isPaused } = sweep;
      const [waiting, running, failed] = [counts.PENDING, counts.RUNNING, counts.ERROR + counts.CANCELED];
      const key = [waiting, running, failed, total, isPaused].join(' ');
      if (element.dataset.key === key || element.querySelector('.rw-question')) return;
      element.dataset.key = key;
      if (refusal) {
        replace(element, h('span', { class: 'rw-dim' }, refusal));
        return;
      }
      pauser.textContent = t(isPaused ? 'resumeSweep' : 'pauseSweep');
      pauser.title = t(isPaused ? 'resumeTells' : 'pauseTells', { n: waiting });
      const hasFocus = element.ownerDocument.activeElement === pauser;
      const rerun = (word: 'rerunFailed' | 'asToday', hint: string, body: JsonValue): HTMLElement =>
        h(
          'button',
          { type: 'button', class: 'rw-button', title: hint, onclick: () => void post('rerun', body) },
          t(word, { n: failed }),
        );
      replace(
        element,
        waiting > 0 && pauser,
        waiting > 0 &&
          running > 0 &&
          asking(t('cancelWaiting', { n: waiting }), t('askCancelWaiting', { n: waiting }), () =>
            transport.send('PUT', `sweeps/${id}`, { pendingOnly: true }),
          ),
        waiting + running > 0 &&
          asking(t('cancelAll', { n: waiting + running }), t('askCancelAll', { running, waiting }), () =>
            transport.send('PUT', `sweeps/${id}`, {}),
          ),
        failed > 0 && rerun('rerunFailed', t('rerunFailedHint'), {}),
        failed > 0 && rerun('asToday', t('rerunFailed', { n: failed }), { latest: true }),
        waiting + running === 0 &&
          total > 0 &&
          asking(
            t('deleteSweep'),
            t('askDeleteSweep', { n: total }),
            async () => {
              await transport.send('DELETE', `sweeps/${id}`);
              deleted();
            },
            { yes: t('deleteYes'), busy: t('deleting') },
            { kind: 'rw-quiet', typed: typedFor(total) },
          ),
      );
      if (hasFocus) pauser.focus({ preventScroll: true });
    },
  };
}
