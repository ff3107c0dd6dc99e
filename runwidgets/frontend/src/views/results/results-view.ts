import { t } from '../../model/messages';
import { LiveRun } from '../../model/runs/live-run';
import { isActive } from '../../model/states';
import type { Transport } from '../../model/transport';
import type { RunHandle } from '../../model/types';
import { h, replace } from '../dom';
import { executedFile, executedPath, filesOf, preview, type ShownPreview } from '../previews/preview';
import type { View } from '../view';
import { fileList } from './file-list';

/** The notebook of a run that did not succeed and listed no files, up to where it ended. */
function unfinished(run: RunHandle, transport: Transport): ShownPreview {
  const place = h('div', { class: 'rw-preview', hidden: true });
  let shown: ShownPreview | null = null;
  const toggle = h(
    'button',
    { type: 'button', class: 'rw-button', 'aria-expanded': 'false', onclick: flip },
    t('showExecuted'),
  );
  function flip(): void {
    place.hidden = !place.hidden;
    toggle.setAttribute('aria-expanded', String(!place.hidden));
    shown?.close();
    shown = place.hidden ? null : preview(executedFile(), run, transport, executedPath(run));
    if (shown) replace(place, shown.element);
  }
  return {
    element: h(
      'div',
      {},
      h('div', { role: 'status' }, t('noResults', { state: t(run.state).toLowerCase() })),
      h('div', { class: 'rw-actions' }, toggle),
      place,
    ),
    close: () => shown?.close(),
  };
}

/** The view of the result files of a run. */
export const resultsView: View = (root, { transport, model }) => {
  const notice = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const body = h('div', {});
  const card = h('div', { class: 'rw-card' }, notice, body);
  root.append(card);
  let live: LiveRun | null = null;
  let shown = '';
  let content: ShownPreview | null = null;

  function draw(run: RunHandle): void {
    const key = `${run.id} ${run.state} ${filesOf(run).length}`;
    if (key === shown) return;
    shown = key;
    content?.close();
    content = null;
    if (isActive(run.state) || (run.state === 'SUCCESS' && !run.files)) {
      replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('notDone', { state: t(run.state).toLowerCase() })));
      return;
    }
    const hasFiles = run.state === 'SUCCESS' || filesOf(run).length > 0;
    content = hasFiles ? fileList(run, transport) : unfinished(run, transport);
    replace(body, content.element);
  }

  function watch(): void {
    live?.close();
    shown = '';
    content?.close();
    content = null;
    replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
    const id = String(model.get('run_id') ?? '');
    if (!id) return;
    live = new LiveRun(transport, id, {
      changed: draw,
      printed: () => undefined,
      connection: (connection) => {
        card.classList.toggle('rw-stale', !connection.isLive);
        notice.hidden = connection.isLive;
        notice.textContent = connection.isLive ? '' : t('stale', { time: connection.since.toLocaleTimeString() });
      },
      gone: () => replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('gone'))),
      failed: (error) => replace(body, h('div', { class: 'rw-failure', role: 'alert' }, error.message)),
    });
  }

  const unobserve = model.observe('run_id', watch);
  watch();
  return () => {
    unobserve();
    live?.close();
    content?.close();
  };
};
