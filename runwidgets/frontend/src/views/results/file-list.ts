import { visible } from '../../model/ansi';
import { bytes } from '../../model/format';
import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { FileHandle, RunHandle } from '../../model/types';
import { h, replace } from '../dom';
import { filesOf, isPicture, pathOf, preview, type ShownPreview } from '../previews/preview';
import type { View } from '../view';
import { gallery } from './gallery';

const FILTER_FROM = 11;
const OPEN_AT_FIRST = 3;

const lastPart = (name: string): string => name.split('/').pop() ?? name;

/** Return files with the declared outputs first, otherwise in their order. */
export function inOrder(files: readonly FileHandle[]): FileHandle[] {
  const isDeclared = (file: FileHandle): boolean => Boolean(file.title || file.caption);
  return [...files.filter(isDeclared), ...files.filter((file) => !isDeclared(file))];
}

/** Say whether the name or title of a file contains a text; case is ignored. */
export const isNamed = (file: FileHandle, sought: string): boolean =>
  `${file.title ?? ''} ${file.name}`.toLowerCase().includes(sought.trim().toLowerCase());

interface FileRow {
  file: FileHandle;
  element: HTMLElement;
  chosen: HTMLInputElement;
  link: HTMLAnchorElement;
  close(): void;
}

/** The list of the files of a run, each marked if it is partial: filtered, selected, previewed and downloaded; pictures as a gallery. */
export function fileList(run: RunHandle, transport: Transport): ShownPreview {
  const files = inOrder(filesOf(run));
  const isPartial = run.state !== 'SUCCESS';
  if (files.length === 0) {
    return { element: h('div', { class: 'rw-dim', role: 'status' }, t('noFiles')), close: () => undefined };
  }
  const rows = files.map((file, at) => rowOf(file, run, transport, at < OPEN_AT_FIRST, count));
  const list = h('ul', { class: 'rw-files' }, ...rows.map((row) => row.element));
  const found = h('span', { class: 'rw-dim', role: 'status' });
  const search = h('input', {
    class: 'rw-input',
    type: 'search',
    placeholder: t('filterFiles'),
    'aria-label': t('filterFiles'),
    oninput: filter,
  });
  const several = h(
    'button',
    { type: 'button', class: 'rw-button', disabled: true, onclick: downloadChosen },
    t('downloadChosen', { n: 0 }),
  );
  const everyone = h('input', { type: 'checkbox', onchange: chooseAll });
  const all = h(
    'a',
    { class: 'rw-button', href: transport.url(`runs/${run.id}/downloads/archive`), download: true },
    t('downloadAll'),
  );
  const pictures = files.filter(isPicture);
  const grid = h('div', { hidden: true });
  const asGallery = h(
    'button',
    { type: 'button', class: 'rw-button', 'aria-pressed': 'false', onclick: turn },
    t('gallery', { n: pictures.length }),
  );
  let shownGallery: ShownPreview | null = null;

  function filter(): void {
    for (const row of rows) row.element.hidden = !isNamed(row.file, search.value);
    const left = rows.filter((row) => !row.element.hidden).length;
    found.textContent = search.value ? t('filesFound', { n: left, total: rows.length }) : '';
    count();
  }

  const chosen = (): FileRow[] => rows.filter((row) => row.chosen.checked && !row.element.hidden);

  function count(): void {
    const some = chosen();
    several.disabled = some.length === 0;
    several.textContent = t('downloadChosen', { n: some.length });
    const seen = rows.filter((row) => !row.element.hidden).length;
    everyone.checked = seen > 0 && some.length === seen;
    everyone.indeterminate = some.length > 0 && some.length < seen;
  }

  function chooseAll(): void {
    for (const row of rows) if (!row.element.hidden) row.chosen.checked = everyone.checked;
    count();
  }

  function downloadChosen(): void {
    for (const row of chosen()) row.link.click();
  }

  function turn(): void {
    const isGallery = grid.hidden;
    asGallery.setAttribute('aria-pressed', String(isGallery));
    list.hidden = isGallery;
    grid.hidden = !isGallery;
    if (isGallery && !shownGallery) {
      shownGallery = gallery(pictures, run, transport);
      replace(grid, shownGallery.element);
    }
  }

  const element = h(
    'div',
    { class: 'rw-results' },
    isPartial ? h('div', { class: 'rw-notice', role: 'status' }, t('partialNote')) : null,
    h(
      'div',
      { class: 'rw-toolbar' },
      files.length > 1 ? h('label', { class: 'rw-choose' }, everyone, t('chooseAll')) : null,
      files.length >= FILTER_FROM ? search : null,
      found,
      pictures.length > 1 ? asGallery : null,
    ),
    list,
    grid,
    h('div', { class: 'rw-actions' }, files.length > 1 ? several : null, isPartial ? null : all),
  );
  return {
    element,
    close() {
      for (const row of rows) row.close();
      shownGallery?.close();
    },
  };
}

/** The files of a finished run inside another view, whose model has the `run`. */
export const filesView: View = (root, { transport, model }) => {
  const shown = fileList(model.get('run') as unknown as RunHandle, transport);
  root.append(shown.element);
  return shown.close;
};

function rowOf(file: FileHandle, run: RunHandle, transport: Transport, isEarly: boolean, changed: () => void): FileRow {
  const name = visible(file.name, true);
  const place = h('div', { class: 'rw-preview', hidden: true });
  let shown: ShownPreview | null = null;
  const toggle = h(
    'button',
    {
      type: 'button',
      class: 'rw-button rw-quiet',
      'aria-expanded': 'false',
      'aria-label': `${t('preview')} ${name}`,
      onclick: flip,
    },
    t('preview'),
  );
  function flip(): void {
    place.hidden = !place.hidden;
    toggle.setAttribute('aria-expanded', String(!place.hidden));
    toggle.textContent = place.hidden ? t('preview') : t('hide');
    toggle.setAttribute('aria-label', `${place.hidden ? t('preview') : t('hide')} ${name}`);
    shown?.close();
    shown = place.hidden ? null : preview(file, run, transport);
    if (shown) replace(place, shown.element);
  }
  const link = h(
    'a',
    {
      class: 'rw-button rw-quiet',
      href: transport.url(pathOf(file, run)),
      download: lastPart(file.name),
      'aria-label': `${t('download')} ${name}`,
    },
    t('download'),
  );
  const chosen = h('input', { type: 'checkbox', 'aria-label': t('chooseFileNamed', { name }), onchange: changed });
  const copy = h(
    'button',
    {
      type: 'button',
      class: 'rw-button rw-quiet',
      'aria-label': `${t('copyPath')} ${name}`,
      onclick: () => void copyPath(),
    },
    t('copyPath'),
  );
  async function copyPath(): Promise<void> {
    try {
      await navigator.clipboard.writeText(file.name);
      copy.textContent = t('copiedPath');
    } catch {
      copy.textContent = t('notCopied');
    }
  }
  const element = h(
    'li',
    {},
    h(
      'div',
      { class: 'rw-file' },
      chosen,
      h(
        'span',
        { class: 'rw-name' },
        file.title ? h('strong', {}, h('bdi', {}, visible(file.title, true))) : null,
        h('bdi', { class: 'rw-path' }, name),
        run.state === 'SUCCESS' ? null : h('span', { class: 'rw-partial' }, t('partialFile')),
      ),
      h('span', { class: 'rw-kind' }, file.mimeType),
      h('span', { class: 'rw-size' }, bytes(file.size)),
      h('span', { class: 'rw-does' }, toggle, link, copy),
    ),
    file.caption ? h('div', { class: 'rw-caption' }, visible(file.caption)) : null,
    place,
  );
  if (isEarly && isPicture(file)) flip();
  return { file, element, chosen, link, close: () => shown?.close() };
}
