import { show } from '../../model/form/argument-validation';
import { type MessageKey, t } from '../../model/messages';
import { STATE_SIGNS } from '../../model/states';
import { ApiError, type Transport } from '../../model/transport';
import type { Argument, RunHandle } from '../../model/types';
import { h, replace } from '../dom';

const MOST = 10;
const MOST_ARGUMENTS = 4;

/** Describe the arguments of a run in a line, without its defaults. */
export function describe(given: Argument[]): string {
  if (given.length === 0) return t('onlyDefaults');
  const isFile = (each: Argument): boolean =>
    typeof each.value === 'object' && each.value !== null && !Array.isArray(each.value) && each.value.type === '$file';
  const shown = given.slice(0, MOST_ARGUMENTS).map((each) => `${each.name} = ${isFile(each) ? '…' : show(each.value)}`);
  const more = given.length - shown.length;
  return [...shown, ...(more > 0 ? [t('moreArguments', { n: more })] : [])].join(', ');
}

/** Return a time in the format of the user's locale. */
export const moment = (iso: string): string =>
  new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** A list of the latest runs of a group, from which one is selected. */
export function listEarlier(
  panel: HTMLElement,
  transport: Transport,
  groupId: string,
  on: { chosen(run: RunHandle): void; closed(): void },
  purpose: { word: 'useRun' | 'compareRun'; except?: string } = { word: 'useRun' },
): void {
  const status = h('div', { class: 'rw-dim', role: 'status' });
  const closer = h('button', { type: 'button', class: 'rw-button', onclick: on.closed }, t('closePanel'));
  const list = h('ul', { class: 'rw-entries', 'aria-label': t('earlierRuns') });
  replace(panel, h('div', { class: 'rw-panelhead' }, h('strong', {}, t('earlierRuns')), closer), list, status);
  panel.onkeydown = (event) => {
    const buttons = [...list.querySelectorAll('button')];
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    if (event.key === 'ArrowDown') buttons[Math.min(buttons.length - 1, at + 1)]?.focus();
    else if (event.key === 'ArrowUp') buttons[Math.max(0, at - 1)]?.focus();
    else if (event.key === 'Escape') on.closed();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  function row(run: RunHandle): HTMLElement {
    const time = moment(run.createdAt);
    const what = describe(run.arguments);
    const state = t(run.state as MessageKey);
    return h(
      'li',
      {},
      h(
        'button',
        {
          type: 'button',
          class: 'rw-entryrow',
          'aria-label': t(purpose.word, { time, state, what }),
          onclick: () => on.chosen(run),
        },
        h('span', { class: 'rw-when' }, time),
        h('span', { class: `rw-badge rw-${run.state.toLowerCase()}` }, `${STATE_SIGNS[run.state]} ${state}`),
        h('bdi', { class: 'rw-what' }, what),
      ),
    );
  }
  async function load(): Promise<void> {
    status.textContent = t('loading');
    try {
      const { runs } = await transport.get<{ runs: { id: string }[] }>(`groups/${groupId}/runs?limit=${MOST}`);
      const whole = await Promise.all(runs.map(({ id }) => transport.get<RunHandle>(`runs/${id}`).catch(gone)));
      const known = whole
        .filter((run) => run !== null)
        .filter((run) => run.id !== purpose.except)
        .reverse();
      replace(list, ...known.map(row));
      status.textContent = known.length === 0 ? t('noEarlier') : '';
      (list.querySelector('button') ?? closer).focus();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      status.textContent = error.message;
      closer.focus();
    }
  }
  function gone(error: unknown): null {
    if (error instanceof ApiError && error.status === 404) return null; // deleted after it was listed
    throw error;
  }
  void load();
}
