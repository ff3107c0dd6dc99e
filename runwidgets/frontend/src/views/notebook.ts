import { h } from '../dom';
import { frame } from './previews';

const ANSI = /\x1b\[[0-9;]*[A-Za-z]/g;
const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

type Text = string | string[];
interface Output {
  output_type: string;
  text?: Text;
  data?: { [type: string]: Text };
  traceback?: string[];
}
interface Cell {
  cell_type: string;
  source: Text;
  outputs?: Output[];
  metadata?: { runwidgets?: { status?: string } };
}
export interface Notebook {
  cells: Cell[];
}

const joined = (text: Text | undefined): string => (Array.isArray(text) ? text.join('') : (text ?? ''));

/** The executed notebook, to read: source, prints, pictures; HTML only in a frame of no origin. */
export function notebookPreview(notebook: Notebook): HTMLElement {
  return h('div', { class: 'rw-notebook', tabindex: 0, role: 'document' }, ...notebook.cells.map(cellOf));
}

function cellOf(cell: Cell): HTMLElement {
  if (cell.cell_type !== 'code') return h('div', { class: 'rw-prose' }, joined(cell.source));
  const status = cell.metadata?.runwidgets?.status;
  return h('div', { class: `rw-cell ${status === 'error' ? 'rw-wrong' : ''}` },
    h('pre', { class: 'rw-code' }, joined(cell.source)), ...(cell.outputs ?? []).map(outputOf));
}

function outputOf(output: Output): HTMLElement {
  if (output.output_type === 'stream') return h('pre', { class: 'rw-out' }, joined(output.text).replace(ANSI, ''));
  if (output.output_type === 'error') {
    return h('pre', { class: 'rw-out rw-wrong' }, (output.traceback ?? []).join('\n').replace(ANSI, ''));
  }
  const data = output.data ?? {};
  const image = IMAGES.find((type) => type in data);
  if (image) {
    const alt = joined(data['text/plain']) || 'output';
    return h('img', { class: 'rw-image', alt, src: `data:${image};base64,${joined(data[image]).trim()}` });
  }
  if (data['text/html']) return frame(joined(data['text/html']), 'output');
  return h('pre', { class: 'rw-out' }, joined(data['text/plain']));
}
