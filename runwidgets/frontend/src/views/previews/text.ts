import { visible } from '../../model/ansi';
import { bytes } from '../../model/format';
import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { FileHandle } from '../../model/types';
import { h, replace } from '../dom';

export const TEXT_LIMIT = 1_000_000;
const HEAD = 512;
const WIDTH = 16;

export interface Read {
  bytes: Uint8Array;
  /** Null if the file is not text in UTF-8. */
  text: string | null;
  isWhole: boolean;
}

/** Read the beginning of a file, as text if it is text, which has no NUL. */
export async function readText(path: string, transport: Transport, limit = TEXT_LIMIT): Promise<Read> {
  const read = await transport.text(path, limit);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(read.bytes, { stream: !read.isWhole });
    return { ...read, text: text.includes('\0') ? null : text };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { ...read, text: null };
  }
}

/** Return the first bytes as a hex dump: offset, sixteen bytes, the same as ASCII. */
export function hexHead(content: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(content.length, HEAD); at += WIDTH) {
    const row = [...content.subarray(at, Math.min(at + WIDTH, HEAD))];
    const numbers = row
      .map((each) => each.toString(16).padStart(2, '0'))
      .join(' ')
      .padEnd(3 * WIDTH - 1);
    const signs = row.map((each) => (each >= 32 && each < 127 ? String.fromCharCode(each) : '·')).join('');
    lines.push(`${at.toString(16).padStart(6, '0')}  ${numbers}  ${signs}`);
  }
  return lines.join('\n');
}

/** The beginning of a file that is not text. */
export function hexPreview(content: Uint8Array, name: string): HTMLElement {
  return h(
    'div',
    {},
    h('div', { class: 'rw-dim' }, t('hexHead', { n: Math.min(HEAD, content.length) })),
    h(
      'pre',
      { class: 'rw-text rw-lines', tabindex: 0, role: 'region', 'aria-label': visible(name, true) },
      hexHead(content),
    ),
  );
}

/** Text with line numbers, which are not selected or copied with it. */
export function numbered(text: string, name: string): HTMLElement {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\n$/, '').split('\n');
  const numbers = lines.map((_, at) => String(at + 1)).join('\n');
  return h(
    'div',
    { class: 'rw-text rw-lines', tabindex: 0, role: 'region', 'aria-label': visible(name, true) },
    h('pre', { class: 'rw-numbers', 'aria-hidden': 'true' }, numbers),
    h('pre', { class: 'rw-source' }, visible(lines.join('\n'))),
  );
}

/** A preview of a text file: its beginning, and more on request. */
export async function textPreview(file: FileHandle, path: string, transport: Transport): Promise<HTMLElement> {
  const place = h('div', {});
  const draw = async (limit: number): Promise<void> => {
    const read = await readText(path, transport, limit);
    if (read.text === null) {
      replace(place, hexPreview(read.bytes, file.name));
      return;
    }
    const more = h(
      'button',
      {
        type: 'button',
        class: 'rw-button',
        onclick: () => {
          more.disabled = true;
          draw(2 * limit).catch((error: Error) => {
            more.disabled = false;
            note.textContent = error.message;
          });
        },
      },
      t('showMore'),
    );
    const note = h(
      'span',
      { class: 'rw-dim', role: 'status' },
      t('textCut', { size: bytes(limit), total: bytes(file.size) }),
    );
    if (read.text === '') replace(place, h('div', { class: 'rw-dim' }, t('emptyFile')));
    else
      replace(place, numbered(read.text, file.name), read.isWhole ? null : h('div', { class: 'rw-more' }, note, more));
  };
  await draw(TEXT_LIMIT);
  return place;
}
