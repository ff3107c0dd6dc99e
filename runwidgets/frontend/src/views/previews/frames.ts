import { h } from '../dom';

const LEAST_HEIGHT = 40;
const MOST_HEIGHT = 640;

/** Told to the frame's parent, by a script of the frame itself: nobody else can look into it. */
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
 * A frame of no origin: it reaches neither the page nor its cookies.
 *
 * Its address is a blob's and not `srcdoc`: a frame of `srcdoc` knows the address of the page, in
 * which a token may stand.
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
  // JupyterLab may move an output about, which loads its frames again: the address stays good for as
  // long as the frame has a place.
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
    const told = (event.data as { runwidgetsHeight?: unknown } | null)?.runwidgetsHeight;
    if (typeof told !== 'number' || !Number.isFinite(told)) return;
    element.style.height = `${Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, told + 4))}px`;
  };
  addEventListener('message', listen);
}
