import { t } from '../../model/messages';
import { ApiError } from '../../model/transport';
import type { RunHandle, WorkflowHandle } from '../../model/types';
import { append, h } from '../dom';
import { type Context, innerModel } from '../view';

/** Let a run be started again: as it was, with today's notebook where that differs, or with other values. */
export function runAgain(place: HTMLElement, run: RunHandle, { transport, inner }: Context): () => void {
  const values = Object.fromEntries(run.arguments.map((each) => [each.name, each.value]));
  const model = innerModel({ workflow_id: run.workflowId, group_id: run.groupId, arguments: values, run_id: '' });
  const status = h('div', { class: 'rw-dim', role: 'status' }, t('asItWasHint'));
  const form = h('section', { 'aria-label': t('otherValues') });
  const button = (word: 'asItWas' | 'asToday', latest: boolean): HTMLButtonElement =>
    h('button', { type: 'button', class: 'rw-button', onclick: () => void start(latest) }, t(word));
  const buttons = [button('asItWas', false), button('asToday', true)] as const;
  const today = buttons[1];
  today.hidden = true;
  append(place, h('div', { class: 'rw-actions' }, ...buttons), status, form);

  async function start(latest: boolean): Promise<void> {
    for (const each of buttons) each.disabled = true;
    try {
      const made = await transport.send<RunHandle>('POST', `runs/${run.id}/rerun`, latest ? { latest } : {});
      model.set({ run_id: made.id, sweep_id: '' }); // the form shows it
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      status.textContent = error.message;
    } finally {
      for (const each of buttons) each.disabled = false;
    }
  }

  async function compare(): Promise<void> {
    try {
      const { version } = await transport.get<WorkflowHandle>(`workflows/${run.workflowId}`);
      today.hidden = version === run.version;
      if (!today.hidden) status.textContent = t('notebookChanged');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the form says why the notebook cannot be read
    }
  }

  void compare();
  return inner.form(form, { transport, inner, model });
}
