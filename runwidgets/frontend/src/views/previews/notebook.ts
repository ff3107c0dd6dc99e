import { visible } from '../../model/ansi';
import { joined, type Notebook, type NotebookCell, type NotebookOutput, traceOf } from '../../model/files/notebook';
import { t } from '../../model/messages';
import type { JsonValue } from '../../model/types';
import { ansiText } from '../ansi-text';
import { h } from '../dom';
import { frame } from './frames';
import { zoomable } from './images';
import { tree } from './tree';

const IMAGES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/bmp'];
const CELLS_AT_ONCE = 100;

/** Renders Markdown as elements. */
export type Markdown = (text: string) => HTMLElement;

/** The executed notebook, read-only: source, text and pictures; HTML only in a frame with an opaque origin. */
export function notebookPreview(notebook: Notebook, markdown: Markdown): HTMLElement {
  const place = h('div', { class: 'rw-notebook', tabindex: 0, role: 'region', 'aria-label': t('notebook') });
  const cells = Array.isArray(notebook.cells) ? notebook.cells : [];
  let made = 0;
  function more(): void {
    const next = cells.slice(made, made + CELLS_AT_ONCE).map((cell) => cellOf(cell, markdown));
    made += next.length;
    place.append(...next);
    if (made === cells.length) return;
    const button = h(
      'button',
      { type: 'button', class: 'rw-button', onclick: go },
      t('moreCells', { n: cells.length - made }),
    );
    function go(): void {
      button.remove();
      more();
      place.focus({ preventScroll: true });
    }
    place.append(button);
  }
  if (cells.length === 0) place.append(h('div', { class: 'rw-dim' }, t('emptyFile')));
  else more();
  return place;
}

function cellOf(cell: NotebookCell, markdown: Markdown): HTMLElement {
  if (cell.cell_type === 'markdown') return markdown(joined(cell.source));
  if (cell.cell_type !== 'code') return h('pre', { class: 'rw-out' }, visible(joined(cell.source)));
  const { status, leftOut } = cell.metadata?.runwidgets ?? {};
  const count = cell.execution_count ?? ' ';
  return h(
    'div',
    { class: `rw-cell ${status === 'error' ? 'rw-wrong' : ''}` },
    h(
      'div',
      { class: 'rw-input-of' },
      h('span', { class: 'rw-count', 'aria-hidden': 'true' }, `[${count}]`),
      h('pre', { class: 'rw-code' }, visible(joined(cell.source))),
    ),
    leftOut && !cell.outputs?.length
      ? h('div', { class: 'rw-dim' }, visible(t('leftOutWhy', { why: leftOut }), true))
      : null,
    ...(cell.outputs ?? []).map((output) => outputOf(output, markdown)),
  );
}

function outputOf(output: NotebookOutput, markdown: Markdown): HTMLElement {
  if (output.output_type === 'stream') {
    return ansiText(joined(output.text), `rw-out ${output.name === 'stderr' ? 'rw-stderr' : ''}`);
  }
  if (output.output_type === 'error') return ansiText(traceOf(output), 'rw-out rw-traceback');
  return richest(output.data ?? {}, markdown);
}

/** Show the richest representation of an output; scripts are never run in the page. */
function richest(data: { [type: string]: JsonValue }, markdown: Markdown): HTMLElement {
  const plain = joined(data['text/plain']);
  const image = IMAGES.find((type) => type in data);
  if (image) return zoomable(`data:${image};base64,${joined(data[image]).replace(/\s/g, '')}`, plain || t('output'));
  if (data['image/svg+xml']) return frame(joined(data['image/svg+xml']), t('output'), { type: 'image/svg+xml' });
  if (data['text/html']) return frame(joined(data['text/html']), t('output'), { isFitted: true });
  if (data['text/markdown']) return markdown(joined(data['text/markdown']));
  if (data['application/json'] !== undefined) return h('div', { class: 'rw-tree' }, tree(data['application/json']));
  if (data['text/latex']) return h('pre', { class: 'rw-out' }, visible(joined(data['text/latex'])));
  if (plain) return ansiText(plain, 'rw-out');
  const type = Object.keys(data)[0] ?? '';
  if (/^text\/|javascript/.test(type)) return h('pre', { class: 'rw-out' }, visible(joined(data[type])));
  return h('div', { class: 'rw-dim' }, t('outputOf', { type: visible(Object.keys(data).join(', '), true) }));
}
