import { visible } from '../../model/ansi';
import type { Notebook } from '../../model/files/notebook';
import { bytes } from '../../model/format';
import { t } from '../../model/messages';
import { ApiError, type Transport } from '../../model/transport';
import type { FileHandle, RunHandle } from '../../model/types';
import { h, replace } from '../dom';
import { frame } from './frames';
import { zoomable } from './images';
import { type Markdown, notebookPreview } from './notebook';
import { isTable, tablePreview } from './table';
import { hexPreview, readText, textPreview } from './text';
import { jsonPreview } from './tree';

export const WHOLE_LIMIT = 20_000_000;
export const NOTEBOOK_TYPE = 'application/x-ipynb+json';

type Preview = (file: FileHandle, path: string, transport: Transport) => HTMLElement | Promise<HTMLElement>;

/** A preview, and how to release it. */
export interface ShownPreview {
  element: HTMLElement;
  close(): void;
}

/** A run that has files, as far as their paths depend on it. */
export type FileOwner = Pick<RunHandle, 'id' | 'state'>;

/** Return the files that a run left: its results, or the partial files of a run without success. */
export const filesOf = (run: RunHandle): readonly FileHandle[] => run.files ?? run.partialFiles ?? [];

/** Return where the content of a file is, relative to the routes. */
export const pathOf = (file: FileHandle, run: FileOwner): string =>
  `runs/${run.id}/downloads/${run.state === 'SUCCESS' ? 'files' : 'partial'}/${encodeURIComponent(file.id)}`;

/** The executed notebook of a run, up to where it ended; it is not a result file unless the run succeeded. */
export const executedFile = (): FileHandle => ({
  id: '',
  name: t('executed'),
  mimeType: NOTEBOOK_TYPE,
  size: 0,
});

/** Return the path of the executed notebook of a run, relative to the routes. */
export const executedPath = (run: { id: string }): string => `runs/${run.id}/notebook`;

/** Say whether a file is a picture that the gallery shows. */
export const isPicture = (file: FileHandle): boolean => file.mimeType.startsWith('image/') && file.size <= WHOLE_LIMIT;

const isParquet = (file: FileHandle): boolean => /parquet/.test(file.mimeType) || /\.(parquet|pq)$/i.test(file.name);

const said = (words: string): HTMLElement => h('div', { class: 'rw-dim', role: 'status' }, words);

const framePreview: Preview = async (file, path, transport) => {
  const { text, bytes: content } = await readText(path, transport, WHOLE_LIMIT);
  return frame(text ?? content, visible(file.name, true), { type: file.mimeType });
};

const pdfPreview: Preview = async (file, path, transport) => {
  const { bytes: content } = await transport.text(path, WHOLE_LIMIT);
  // The PDF viewer of browsers does not work in a sandboxed frame; the type of the blob makes sure that it is used.
  const address = URL.createObjectURL(new Blob([content as BlobPart], { type: 'application/pdf' }));
  return h('iframe', { class: 'rw-frame', src: address, title: visible(file.name, true), 'data-blob': true });
};

const mediaPreview: Preview = (file, path, transport) => {
  const media = h(file.mimeType.startsWith('audio/') ? 'audio' : 'video', {
    class: 'rw-media',
    controls: true,
    preload: 'metadata',
    src: transport.url(path),
    'aria-label': visible(file.name, true),
  });
  const place = h('div', {}, media);
  media.addEventListener('error', () => replace(place, said(t('mediaBroken'))));
  return place;
};

const loadMarkdown = async (transport: Transport): Promise<Markdown> =>
  (await transport.load<{ markdown: Markdown }>('markdown')).markdown;

const executedPreview: Preview = async (file, path, transport) => {
  const { text, isWhole } = await readText(path, transport, WHOLE_LIMIT);
  if (!isWhole) return said(t('tooLarge', { size: bytes(file.size) }));
  try {
    const notebook = JSON.parse(text ?? '') as Notebook;
    return notebookPreview(notebook, await loadMarkdown(transport));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return textPreview(file, path, transport);
  }
};

const markdownPreview: Preview = async (file, path, transport) => {
  const { text, isWhole, bytes: content } = await readText(path, transport);
  if (text === null) return hexPreview(content, file.name);
  return isWhole ? (await loadMarkdown(transport))(text) : textPreview(file, path, transport);
};

const parquetPreview: Preview = (file) => said(t('parquet', { name: JSON.stringify(visible(file.name, true)) }));

/** Previews of file types that can also be shown as text. */
const WRITTEN = new Set<Preview>([tablePreview, executedPreview, jsonPreview, markdownPreview, framePreview]);

function previewFor(file: FileHandle): Preview {
  const type = file.mimeType;
  if (isTable(file)) return tablePreview;
  if (type === NOTEBOOK_TYPE || file.name.endsWith('.ipynb')) return executedPreview;
  if (type === 'application/json' || type.endsWith('+json')) return jsonPreview;
  if (type === 'text/markdown') return markdownPreview;
  if (/^(audio|video)\//.test(type)) return mediaPreview;
  if (isParquet(file)) return parquetPreview;
  const inFull: Preview | null =
    type === 'image/svg+xml' || type === 'text/html' || type === 'application/xhtml+xml'
      ? framePreview
      : type === 'application/pdf'
        ? pdfPreview
        : type.startsWith('image/')
          ? (each, path, transport) => zoomable(transport.url(path), each.title ?? each.name)
          : null;
  if (!inFull) return textPreview;
  return file.size <= WHOLE_LIMIT ? inFull : () => said(t('tooLarge', { size: bytes(file.size) }));
}

/**
 * Show one result file. Returns an element at once, which says that it is loading until it shows the file or
 * says why it cannot. Files above the limits are not fetched as a whole.
 */
export function preview(
  file: FileHandle,
  run: FileOwner,
  transport: Transport,
  path = pathOf(file, run),
): ShownPreview {
  const chosen = previewFor(file);
  const place = h('div', {}, said(t('loading')));
  const raw = h(
    'button',
    {
      type: 'button',
      class: 'rw-button rw-quiet rw-raw',
      'aria-pressed': 'false',
      onclick: () => {
        const isRaw = raw.getAttribute('aria-pressed') !== 'true';
        raw.setAttribute('aria-pressed', String(isRaw));
        void fill(isRaw ? textPreview : chosen);
      },
    },
    t('asText'),
  );
  const element = h('div', { class: 'rw-shown' }, WRITTEN.has(chosen) ? raw : null, place);
  let isClosed = false;
  let asked: Preview = chosen;
  async function fill(wanted: Preview): Promise<void> {
    asked = wanted;
    try {
      const shown = await wanted(file, path, transport);
      if (isClosed || asked !== wanted) {
        release(shown);
        return;
      }
      release(place);
      replace(place, shown);
    } catch (error) {
      const isGone = error instanceof ApiError && error.status === 404;
      const words = isGone ? t('fileGone') : t('notShown', { problem: (error as Error).message });
      replace(place, h('div', { class: 'rw-failure', role: 'alert' }, words));
    }
  }
  void fill(chosen);
  return {
    element,
    close() {
      isClosed = true;
      release(element);
      element.replaceChildren();
    },
  };
}

/** Release what a preview holds in addition to its elements: URLs of blobs, sound, connections. */
function release(element: HTMLElement): void {
  for (const media of element.querySelectorAll<HTMLMediaElement>('audio, video')) {
    media.pause();
    URL.revokeObjectURL(media.src);
    media.removeAttribute('src');
    media.load();
  }
  const frames = [...element.querySelectorAll('iframe'), ...(element instanceof HTMLIFrameElement ? [element] : [])];
  for (const each of frames) URL.revokeObjectURL(each.src);
}
