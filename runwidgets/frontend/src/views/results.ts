import { h, replace } from '../dom';
import { LiveRun } from '../live';
import { bytes, t } from '../text';
import type { ResultFile, Run } from '../types';
import type { Transport } from '../transport/transport';
import { isPreviewable, preview } from './previews';
import type { View } from './view';

/** The result files of a run: a row each, with its download and its preview; pictures are open at once. */
export function resultsList(run: Run, transport: Transport): HTMLElement {
  const files = run.files ?? [];
  if (files.length === 0) return h('div', { class: 'rw-dim' }, t('noFiles'));
  return h('ul', { class: 'rw-files' }, ...files.map((file, at) => row(run, file, transport, at < 3)));
}

function row(run: Run, file: ResultFile, transport: Transport, isEarly: boolean): HTMLElement {
  const path = `runs/${run.id}/downloads/files/${encodeURIComponent(file.id)}`;
  const place = h('div', { class: 'rw-preview', hidden: true });
  const toggle = h('button', { type: 'button', class: 'rw-button rw-quiet', 'aria-expanded': 'false', onclick: flip },
    t('preview'));
  toggle.setAttribute('aria-label', `${t('preview')} ${file.name}`);
  function flip(): void {
    place.hidden = !place.hidden;
    toggle.setAttribute('aria-expanded', String(!place.hidden));
    toggle.textContent = place.hidden ? t('preview') : t('hide');
    if (!place.hidden && !place.hasChildNodes()) {
      replace(place, h('div', { class: 'rw-dim' }, t('loading')));
      void preview(file, path, transport).then((shown) => replace(place, shown));
    }
  }
  const link = h('a', {
    class: 'rw-button rw-quiet',
    href: transport.url(path),
    download: file.name.split('/').pop() ?? file.name,
    'aria-label': `${t('download')} ${file.name}`,
  }, t('download'));
  const element = h('li', {},
    h('div', { class: 'rw-file' },
      h('span', { class: 'rw-name' }, file.title ? h('strong', {}, file.title) : null, h('span', { class: 'rw-path' }, file.name)),
      h('span', { class: 'rw-dim' }, bytes(file.size)),
      isPreviewable(file) ? toggle : null,
      link),
    file.caption ? h('div', { class: 'rw-caption' }, file.caption) : null,
    place);
  if (isEarly && file.mimeType.startsWith('image/') && isPreviewable(file)) flip();
  return element;
}

/** The result files of a run, as soon as there are any. */
export const resultsView: View = (root, { transport, model }) => {
  const body = h('div', { class: 'rw-card' });
  root.append(body);
  let live: LiveRun | null = null;
  let shown = '';

  function draw(run: Run): void {
    const key = `${run.id} ${run.state} ${run.files?.length ?? 0}`;
    if (key === shown) return;
    shown = key;
    if (run.state === 'SUCCESS' && run.files) {
      const all = h('a', { class: 'rw-button', href: transport.url(`runs/${run.id}/downloads/archive`), download: true },
        t('downloadAll'));
      replace(body, resultsList(run, transport), h('div', { class: 'rw-actions' }, all));
    } else {
      replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('notDone', { state: t(run.state).toLowerCase() })));
    }
  }

  function watch(): void {
    live?.close();
    shown = '';
    replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
    const id = String(model.get('run_id') ?? '');
    if (!id) return;
    live = new LiveRun(transport, id, {
      changed: draw,
      printed: () => undefined,
      connection: (connection) => body.classList.toggle('rw-stale', !connection.isLive),
      gone: () => replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('gone'))),
      failed: (error) => replace(body, h('div', { class: 'rw-failure', role: 'alert' }, error.message)),
    });
  }

  const unobserve = model.observe('run_id', watch);
  watch();
  return () => {
    unobserve();
    live?.close();
  };
};
