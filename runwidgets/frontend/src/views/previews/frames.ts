import { h } from '../dom';

const LEAST_HEIGHT = 40;
const MOST_HEIGHT = 640;

/** The frame tells its height to its parent by a script of its own, since the parent cannot look into it. */
const MEASURE = `<script>{const tell=()=>parent.postMessage({runwidgetsHeight:document.documentElement.scrollHeight},'*');
addEventListener('load',tell);new ResizeObserver(tell).observe(document.documentElement)}</script>`;

interface FrameOptions {
  type?: string;
  /** Whether its scripts run; they never reach the page. */
  hasScripts?: boolean;
  /** Whether the frame is as high as what it shows, up to a bound. */
  isFitted?: boolean;
}

/**
 * A frame with an opaque origin: it reaches neither the page nor its cookies.
 *
 * It shows a blob, not `srcdoc`: a frame with `srcdoc` knows the URL of the page, which may contain
 * a token.
 */
export function frame(content: string | Uint8Array, title: string, options: FrameOptions = {}): HTMLIFrameElement {
  const { type = 'text/html', hasScripts = true, isFitted = false } = options;
  const pieces = [content, isFitted ? MEASURE : ''] as BlobPart[];
  const address = URL.createObjectURL(
    new Blob(pieces, { type: typeof content === 'string' ? `${type};charset=utf-8` : type }),
  );
  const element = h('iframe', {
    class: isFitted ? 'rw-frame rw-fitted' : 'rw-frame',
    sandbox: hasScripts ? 'allow-scripts' : '',
    referrerpolicy: 'no-referrer',
    src: address,
    title,
  });
  // JupyterLab may move an output, which reloads its frames: the URL stays valid for as
  // long as the frame is in the page.
  const release = (): void => {
    if (element.isConnected) setTimeout(release, 30_000);
    else URL.revokeObjectURL(address);
  };
  setTimeout(release, 30_000);
  if (isFitted) fit(element);
  return element;
}

function fit(element: HTMLIFrameElement): void {
  let wasShown = false;
  const listen = (event: MessageEvent): void => {
    wasShown ||= element.isConnected;
    if (wasShown && !element.isConnected) {
      removeEventListener('message', listen);
      return;
    }
    if (event.source === null || event.source !== element.contentWindow) return;
    const height = (event.data as { runwidgetsHeight?: unknown } | null)?.runwidgetsHeight;
    if (typeof height !== 'number' || !Number.isFinite(height)) return;
    element.style.height = `${Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, height + 4))}px`;
  };
  addEventListener('message', listen);
}
