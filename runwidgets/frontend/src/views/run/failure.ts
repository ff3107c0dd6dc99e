import { visible } from '../../model/ansi';
import { type Notebook, tracebackOf } from '../../model/files/notebook';
import { t } from '../../model/messages';
import { ApiError, type Transport } from '../../model/transport';
import type { RunHandle } from '../../model/types';
import { ansiText } from '../ansi-text';
import { h, replace } from '../dom';

/** The messages of a run that failed or was cancelled: sentences, and the traceback of the cell that failed. */
export function failureBox(transport: Transport): { element: HTMLElement; draw(run: RunHandle): void } {
  const element = h('div', { class: 'rw-failure', role: 'alert', hidden: true });
  let drawn = '';

  /** Replace the plain traceback by the coloured one of the executed notebook. */
  async function colour(place: HTMLElement, id: string): Promise<void> {
    try {
      const trace = tracebackOf(await transport.get<Notebook>(`runs/${id}/notebook`));
      if (trace) replace(place, ansiText(trace, 'rw-out'));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the plain one stays
    }
  }

  function traceback(text: string, id: string): HTMLElement {
    const place = h('div', {}, ansiText(text, 'rw-out'));
    const details = h('details', {}, h('summary', {}, t('traceback')), place);
    details.addEventListener('toggle', () => void colour(place, id), { once: true });
    return details;
  }

  return {
    element,
    draw(run) {
      const messages = [...(run.messages ?? [])];
      element.hidden = messages.length === 0;
      element.classList.toggle('rw-calm', run.state === 'CANCELED');
      const text = `${run.id} ${messages.join('\n')}`;
      if (drawn === text) return;
      drawn = text;
      const sentence = messages.shift() ?? '';
      const trace = run.reason === 'cell_error' ? messages.shift() : undefined;
      const others = messages.map((each) => h('div', {}, visible(each)));
      replace(element, visible(sentence), ...others, trace ? traceback(trace, run.id) : null);
    },
  };
}
