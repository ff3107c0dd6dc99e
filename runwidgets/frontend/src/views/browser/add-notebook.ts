import { t } from '../../model/messages';
import { ApiError, type Transport } from '../../model/transport';
import type { WorkflowHandle } from '../../model/types';
import { h, replace } from '../dom';
import { browse } from '../fields/server-files';

/** A panel that makes a workflow of a notebook of the server, chosen in a list or by its path. */
export function addNotebook(
  panel: HTMLElement,
  transport: Transport,
  on: { added(workflow: WorkflowHandle): void; closed(): void },
): void {
  const folders = h('div', {});
  const path = h('input', {
    class: 'rw-input',
    type: 'text',
    'aria-label': t('addPath'),
    placeholder: t('addPath'),
    spellcheck: 'false',
  });
  const button = h('button', { type: 'submit', class: 'rw-button' }, t('addByPath'));
  const named = h('form', { class: 'rw-tools rw-byname', novalidate: true }, path, button);
  const busy = h('div', { class: 'rw-dim', role: 'status' });
  const failure = h('div', { class: 'rw-failure', role: 'alert', hidden: true });
  let isBusy = false;

  async function add(source: string): Promise<void> {
    if (isBusy || !source) return;
    isBusy = button.disabled = true;
    failure.hidden = true;
    busy.textContent = t('addingNotebook', { path: source });
    try {
      on.added(await transport.send<WorkflowHandle>('POST', 'workflows', { source }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(failure, t('notAdded', { path: source, problem: error.message }));
      failure.hidden = false;
    } finally {
      isBusy = button.disabled = false;
      busy.textContent = '';
    }
  }

  named.addEventListener('submit', (event) => {
    event.preventDefault();
    void add(path.value.trim());
  });
  named.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    on.closed();
  });
  replace(panel, folders, named, busy, failure);
  browse(folders, transport, { chosen: (chosen) => void add(chosen), closed: on.closed }, true);
}
