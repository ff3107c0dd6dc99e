import { append, h, replace } from '../dom';
import { parseTable } from '../csv';
import { bytes, t } from '../text';
import type { Json, ResultFile } from '../types';
import { ApiError, type Transport } from '../transport/transport';
import { notebookPreview } from './notebook';

const TEXT_LIMIT = 1_000_000;
const IMAGE_LIMIT = 20_000_000;
const NOTEBOOK_LIMIT = 20_000_000;
const ROWS = 200;
const COLUMNS = 50;
const OPEN_DEPTH = 2;

type Preview = (file: ResultFile, path: string, transport: Transport) => Promise<Node>;

const TEXT_TYPES = /^(text\/|application\/(x-)?(python|yaml|toml|xml|javascript|sh)$)/;

function previewFor(file: ResultFile): Preview | null {
  const type = file.mimeType;
  if (type === 'image/svg+xml' || type === 'text/html') return file.size <= TEXT_LIMIT ? framePreview : null;
  if (type.startsWith('image/')) return file.size <= IMAGE_LIMIT ? imagePreview : null;
  if (type === 'text/csv' || type === 'text/tab-separated-values') return tablePreview;
  if (type === 'application/x-ipynb+json') return file.size <= NOTEBOOK_LIMIT ? executedPreview : null;
  if (type === 'application/json' || type === 'application/geo+json') {
    return file.size <= TEXT_LIMIT ? jsonPreview : textPreview;
  }
  return TEXT_TYPES.test(type) ? textPreview : null;
}

/** Say whether a file can be shown in place. */
export const isPreviewable = (file: ResultFile): boolean => previewFor(file) !== null;

/** Show a file, or say in its place why not. */
export async function preview(file: ResultFile, path: string, transport: Transport): Promise<Node> {
  const show = previewFor(file);
  if (!show) return h('div', { class: 'rw-dim' }, t('noPreview'));
  try {
    return await show(file, path, transport);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return h('div', { class: 'rw-failure', role: 'alert' }, error.message);
  }
}

/** A frame in which scripts may run, but which is of no origin: it reaches neither page nor cookies. */
export function frame(markup: string, title: string): HTMLIFrameElement {
  return h('iframe', { class: 'rw-frame', sandbox: 'allow-scripts', srcdoc: markup, title });
}

const framePreview: Preview = async (file, path, transport) => {
  const { bytes: content } = await transport.text(path, TEXT_LIMIT);
  return frame(new TextDecoder().decode(content), file.name);
};

const imagePreview: Preview = (file, path, transport) => {
  const image = h('img', { class: 'rw-image', alt: file.title ?? file.name, src: transport.url(path) });
  return new Promise((resolve) => {
    image.addEventListener('load', () => resolve(image));
    image.addEventListener('error', () => resolve(h('div', { class: 'rw-dim' }, t('imageBroken'))));
  });
};

async function readText(path: string, transport: Transport): Promise<{ text: string | null; isWhole: boolean }> {
  const { bytes: content, isWhole } = await transport.text(path, TEXT_LIMIT);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(content, { stream: !isWhole }), isWhole };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { text: null, isWhole };
  }
}

const textPreview: Preview = async (_file, path, transport) => {
  const { text, isWhole } = await readText(path, transport);
  if (text === null) return h('div', { class: 'rw-dim' }, t('notUtf8'));
  return h('div', {}, h('pre', { class: 'rw-text', tabindex: 0 }, text),
    isWhole ? null : h('div', { class: 'rw-dim' }, t('textCut', { size: bytes(TEXT_LIMIT) })));
};

const tablePreview: Preview = async (file, path, transport) => {
  const { text, isWhole } = await readText(path, transport);
  if (text === null) return h('div', { class: 'rw-dim' }, t('notUtf8'));
  const separator = file.mimeType === 'text/csv' ? ',' : '\t';
  const parsed = parseTable(text, separator, ROWS + 1);
  const [head = [], ...rows] = parsed.rows;
  const cells = (tag: 'th' | 'td', row: string[]) =>
    row.slice(0, COLUMNS).map((each) => h(tag, tag === 'th' ? { scope: 'col' } : {}, each));
  const table = h('table', { class: 'rw-table' },
    h('thead', {}, h('tr', {}, ...cells('th', head))),
    h('tbody', {}, ...rows.map((row) => h('tr', {}, ...cells('td', row)))));
  const total = isWhole ? String(text.trimEnd().split('\n').length - 1) : '…';
  const notes = [
    parsed.isWhole && isWhole ? null : t('rowsCut', { rows: rows.length, total }),
    head.length > COLUMNS ? t('columnsCut', { columns: COLUMNS, total: head.length }) : null,
  ].filter((note) => note !== null);
  return h('div', {}, h('div', { class: 'rw-scroll', tabindex: 0, role: 'region', 'aria-label': file.name }, table),
    notes.length ? h('div', { class: 'rw-dim' }, notes.join(' ')) : null);
};

const jsonPreview: Preview = async (file, path, transport) => {
  const { text } = await readText(path, transport);
  try {
    return h('div', { class: 'rw-tree' }, tree(JSON.parse(text ?? '') as Json, '', 0));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return textPreview(file, path, transport);
  }
};

/** JSON as a tree; what lies deeper is made when it is opened. */
function tree(given: Json, name: string, depth: number): HTMLElement {
  const label = name ? h('span', { class: 'rw-key' }, `${name}: `) : null;
  if (given === null || typeof given !== 'object') return h('div', {}, label, JSON.stringify(given));
  const entries = Object.entries(given);
  const size = Array.isArray(given) ? `[${entries.length}]` : `{${entries.length}}`;
  const place = h('div', { class: 'rw-branch' });
  const details = h('details', {}, h('summary', {}, label, h('span', { class: 'rw-dim' }, size)), place);
  const fill = (): void => {
    if (details.open && !place.hasChildNodes()) {
      append(place, ...entries.slice(0, 1000).map(([key, each]) => tree(each, key, depth + 1)));
      if (entries.length > 1000) append(place, '…');
    }
  };
  details.addEventListener('toggle', fill);
  if (depth < OPEN_DEPTH && entries.length <= 50) {
    details.open = true;
    replace(place);
    fill();
  }
  return details;
}

const executedPreview: Preview = async (_file, path, transport) => notebookPreview(await transport.get(path));
