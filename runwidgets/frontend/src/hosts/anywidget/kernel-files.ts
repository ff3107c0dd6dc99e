import { t } from '../../model/messages';
import { ApiError } from '../../model/transport';
import { type CommTransport, SCHEME } from '../../transport/comm-transport';
import { saveAs } from '../../views/dom';

/** Return the path in a URL of `CommTransport.url`, null for other URLs. */
const pathIn = (address: string | null): string | null =>
  address?.startsWith(SCHEME) ? address.slice(SCHEME.length) : null;

/**
 * Serve the pictures, media and links of a view through the kernel, when they are needed.
 *
 * A browser cannot load the URLs of `CommTransport.url`: it fires an error event at the picture, once it wants to show it.
 * That event is captured here, and the picture gets the URL of the fetched blob.
 */
export function serveKernelFiles(
  root: HTMLElement,
  transport: CommTransport,
  say: (words: string) => void,
): () => void {
  const made = new Set<string>();

  function lend(content: Blob): string {
    const address = URL.createObjectURL(content);
    made.add(address);
    return address;
  }

  function giveBack(address: string): void {
    URL.revokeObjectURL(address);
    made.delete(address);
  }

  async function fill(shown: HTMLImageElement | HTMLMediaElement, path: string): Promise<void> {
    try {
      const address = lend((await transport.file(path)).content);
      if (shown instanceof HTMLImageElement) shown.addEventListener('load', () => giveBack(address), { once: true });
      shown.src = address;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      shown.removeAttribute('src');
      shown.dispatchEvent(new Event('error')); // the view shows the error
    }
  }

  async function download(link: HTMLAnchorElement, path: string): Promise<void> {
    const label = link.download || path.split('/').pop() || path;
    say(t('fetching', { name: label }));
    try {
      const { content, name } = await transport.file(path);
      saveAs(new Blob([content], { type: 'application/octet-stream' }), link.download || name);
      say('');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(t('notFetched', { name: label, problem: error.message }));
    }
  }

  function failed(event: Event): void {
    const shown = event.target;
    if (!(shown instanceof HTMLImageElement || shown instanceof HTMLMediaElement)) return;
    const path = pathIn(shown.getAttribute('src'));
    if (path === null) return;
    event.stopImmediatePropagation();
    void fill(shown, path);
  }

  function clicked(event: MouseEvent): void {
    const link = (event.target as Element).closest<HTMLAnchorElement>('a[href]');
    const path = pathIn(link?.getAttribute('href') ?? null);
    if (!link || path === null) return;
    event.preventDefault();
    void download(link, path);
  }

  root.addEventListener('error', failed, true);
  root.addEventListener('click', clicked, true);
  return () => {
    root.removeEventListener('error', failed, true);
    root.removeEventListener('click', clicked, true);
    for (const address of made) URL.revokeObjectURL(address);
  };
}
