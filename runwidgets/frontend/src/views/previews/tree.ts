import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { FileHandle, JsonValue } from '../../model/types';
import { append, h } from '../dom';
import { readText, textPreview } from './text';

const AT_ONCE = 100;
const OPEN_DEPTH = 2;
const FEW = 50;

/** JSON as a tree of native disclosures; deeper levels are built when they are opened. */
export function tree(given: JsonValue, name = '', depth = 0): HTMLElement {
  const label = name === '' ? null : h('bdi', { class: 'rw-key' }, `${visible(name, true)}: `);
  if (given === null || typeof given !== 'object')
    return h('div', { class: 'rw-leaf' }, label, h('bdi', {}, visible(JSON.stringify(given))));
  const entries = Object.entries(given);
  const size = Array.isArray(given) ? `[${entries.length}]` : `{${entries.length}}`;
  if (entries.length === 0) return h('div', { class: 'rw-leaf' }, label, size);
  const place = h('div', { class: 'rw-branch' });
  const details = h('details', {}, h('summary', {}, label, h('span', { class: 'rw-dim' }, size)), place);
  let made = 0;
  function more(): void {
    const next = entries
      .slice(made, made + AT_ONCE)
      .map(([key, each]) => tree(each, key === '' ? '""' : key, depth + 1));
    made += next.length;
    append(place, ...next);
    if (made === entries.length) return;
    const button = h(
      'button',
      { type: 'button', class: 'rw-button', onclick: go },
      t('moreEntries', { n: entries.length - made }),
    );
    function go(): void {
      button.remove();
      const at = place.childElementCount;
      more();
      place.children[at]?.querySelector<HTMLElement>('summary')?.focus();
    }
    place.append(button);
  }
  details.addEventListener('toggle', () => {
    if (details.open && made === 0) more();
  });
  if (depth < OPEN_DEPTH && entries.length <= FEW) {
    details.open = true;
    more();
  }
  return details;
}

/** A JSON file as a tree; as text if it is too large or not valid JSON. */
export async function jsonPreview(file: FileHandle, path: string, transport: Transport): Promise<HTMLElement> {
  const { text, isWhole } = await readText(path, transport);
  if (text === null || !isWhole) return textPreview(file, path, transport);
  try {
    const root = tree(JSON.parse(text) as JsonValue);
    return h('div', { class: 'rw-tree', tabindex: 0, role: 'region', 'aria-label': visible(file.name, true) }, root);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return textPreview(file, path, transport);
  }
}
