import { bytes } from '../../model/format';
import { t } from '../../model/messages';
import { ApiError, type Transport } from '../../model/transport';
import { h, replace } from '../dom';

/** A file or folder, as Jupyter's contents API describes it. */
interface ContentsEntry {
  name: string;
  path: string;
  type: 'directory' | 'file' | 'notebook';
  size: number | null;
}

/** Jupyter's contents API, relative to our routes: both are below the base URL of the server. */
const CONTENTS = '../../api/contents/';

/** Return the path of a folder in Jupyter's contents API. */
export const contentsPath = (folder: string): string =>
  `${CONTENTS}${folder.split('/').map(encodeURIComponent).join('/')}?type=directory&content=1`;

/** A panel with the folders of the server, in which a file, or only a notebook, is chosen. */
export function browse(
  panel: HTMLElement,
  transport: Transport,
  on: { chosen(path: string): void; closed(): void },
  isNotebooks = false,
): void {
  const where = h('div', { class: 'rw-where' });
  const list = h('ul', { class: 'rw-entries', 'aria-label': t(isNotebooks ? 'serverNotebooks' : 'serverFiles') });
  const status = h('div', { class: 'rw-dim', role: 'status' });
  const closer = h('button', { type: 'button', class: 'rw-button', onclick: on.closed }, t('closePanel'));
  replace(panel, h('div', { class: 'rw-panelhead' }, where, closer), list, status);
  panel.onkeydown = press;

  async function show(folder: string): Promise<void> {
    status.textContent = t('loading');
    try {
      const { content } = await transport.get<{ content: ContentsEntry[] }>(contentsPath(folder));
      const order = (entry: ContentsEntry): string =>
        `${entry.type === 'directory' ? 0 : 1}${entry.name.toLowerCase()}`;
      const offered = content.filter(
        (each) => !isNotebooks || each.type === 'directory' || each.name.endsWith('.ipynb'),
      );
      const entries = offered.sort((one, other) => (order(one) < order(other) ? -1 : 1));
      where.textContent = `/${folder}`;
      const parent = folder.includes('/') ? folder.slice(0, folder.lastIndexOf('/')) : '';
      replace(
        list,
        folder === '' ? null : row('../', t('parentFolder'), '', () => void show(parent)),
        ...entries.map((each) =>
          each.type === 'directory'
            ? row(`${each.name}/`, t('openFolder', { name: each.name }), '', () => void show(each.path))
            : row(each.name, each.name, each.size === null ? '' : bytes(each.size), () => on.chosen(each.path)),
        ),
      );
      status.textContent =
        entries.length > 0 ? '' : t(isNotebooks && content.length > 0 ? 'noNotebooks' : 'emptyFolder');
      (list.querySelector('button') ?? closer).focus();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      status.textContent = t('noContents', { problem: error.message });
      closer.focus();
    }
  }
  function row(text: string, label: string, size: string, act: () => void): HTMLElement {
    return h(
      'li',
      {},
      h(
        'button',
        { type: 'button', class: 'rw-entryrow', 'aria-label': label, onclick: act },
        h('bdi', {}, text),
        h('span', { class: 'rw-dim' }, size),
      ),
    );
  }
  function press(event: KeyboardEvent): void {
    const buttons = [...list.querySelectorAll('button')];
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    if (event.key === 'ArrowDown') buttons[Math.min(buttons.length - 1, at + 1)]?.focus();
    else if (event.key === 'ArrowUp') buttons[Math.max(0, at - 1)]?.focus();
    else if (event.key === 'Escape') on.closed();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  void show('');
}
