import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { FileHandle } from '../../model/types';
import { h, replace } from '../dom';
import { frame } from '../previews/frames';
import { type FileOwner, pathOf, preview, type ShownPreview } from '../previews/preview';

const THUMBNAIL_LIMIT = 1_000_000;

/** The pictures of a run side by side; each opens large, and arrow keys move to the next. */
export function gallery(files: readonly FileHandle[], run: FileOwner, transport: Transport): ShownPreview {
  const dialog = h('dialog', { class: 'rw-dialog', onclose: shut });
  const title = h('strong', { class: 'rw-name' });
  const place = h('div', { class: 'rw-large' });
  const button = (label: string, act: () => void) =>
    h('button', { type: 'button', class: 'rw-button', onclick: act }, label);
  dialog.append(
    h(
      'div',
      { class: 'rw-head' },
      title,
      button(t('previous'), () => open(at - 1)),
      button(t('next'), () => open(at + 1)),
      button(t('close'), () => dialog.close()),
    ),
    place,
  );
  let at = 0;
  let large: ShownPreview | null = null;
  const watches: IntersectionObserver[] = [];

  function open(wanted: number): void {
    at = (wanted + files.length) % files.length;
    const file = files[at];
    if (!file) return;
    large?.close();
    large = preview(file, run, transport);
    const name = visible(file.title ?? file.name, true);
    title.textContent = `${name} (${at + 1}/${files.length})`;
    dialog.setAttribute('aria-label', name);
    replace(place, large.element);
    if (!dialog.open) dialog.showModal();
  }

  function shut(): void {
    large?.close();
    large = null;
    thumbnails[at]?.focus();
  }

  dialog.addEventListener('keydown', (event) => {
    const isScrolled = (event.target as Element).classList.contains('rw-zoomed');
    if (isScrolled || (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft')) return;
    open(at + (event.key === 'ArrowRight' ? 1 : -1));
    event.preventDefault();
  });

  const thumbnails = files.map((file, index) => {
    const name = visible(file.title ?? file.name, true);
    const small = h('span', { class: 'rw-small' });
    if (file.mimeType !== 'image/svg+xml') {
      const image = h('img', { src: transport.url(pathOf(file, run)), alt: '', loading: 'lazy' });
      image.addEventListener('error', () => replace(small, t('imageBroken')));
      small.append(image);
    } else if (file.size <= THUMBNAIL_LIMIT) drawing(small, file, name);
    else small.append(t('preview'));
    return h(
      'button',
      { type: 'button', class: 'rw-thumbnail', onclick: () => open(index) },
      small,
      h('bdi', {}, name),
    );
  });

  /** An SVG file in a frame without scripts, fetched when it becomes visible. */
  function drawing(small: HTMLElement, file: FileHandle, name: string): void {
    const watch = new IntersectionObserver((seen) => {
      if (!seen.some((each) => each.isIntersecting)) return;
      watch.disconnect();
      transport.text(pathOf(file, run), THUMBNAIL_LIMIT).then(
        ({ bytes }) => {
          const made = frame(bytes, name, { type: file.mimeType, hasScripts: false });
          made.tabIndex = -1;
          made.inert = true;
          replace(small, made);
        },
        () => replace(small, t('imageBroken')),
      );
    });
    watch.observe(small);
    watches.push(watch);
  }

  return {
    element: h(
      'div',
      {},
      h('div', { class: 'rw-gallery', role: 'group', 'aria-label': t('gallery', { n: files.length }) }, ...thumbnails),
      dialog,
    ),
    close() {
      for (const watch of watches) watch.disconnect();
      large?.close();
    },
  };
}
