import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import { h, replace } from '../dom';

const STEP = 1.25;
const MOST = 16;
const LEAST = 0.05;

/** A picture that can be zoomed: by buttons, and once it has the focus by keys, wheel and drag. */
export function zoomable(address: string, alt: string): HTMLElement {
  let scale: number | null = null;
  const image = h('img', { class: 'rw-image', alt: visible(alt, true), src: address, draggable: 'false' });
  const view = h(
    'div',
    { class: 'rw-zoom', tabindex: 0, role: 'group', 'aria-label': t('zoomKeys', { name: visible(alt, true) }) },
    image,
  );
  const said = h('span', { class: 'rw-dim', role: 'status' }, t('fitted'));
  const button = (label: string, name: string, act: () => void) =>
    h('button', { type: 'button', class: 'rw-button rw-quiet', 'aria-label': name, title: name, onclick: act }, label);
  const bar = h(
    'div',
    { class: 'rw-zoombar' },
    button(t('fit'), t('zoomFit'), () => set(null)),
    button('100 %', t('zoomFull'), () => set(1)),
    button('−', t('zoomOut'), () => set(now() / STEP)),
    button('+', t('zoomIn'), () => set(now() * STEP)),
    said,
  );
  const whole = h('div', { class: 'rw-picture' }, view, bar);

  const now = (): number => scale ?? (image.naturalWidth ? image.clientWidth / image.naturalWidth : 1);
  function set(wanted: number | null): void {
    scale = wanted === null ? null : Math.min(MOST, Math.max(LEAST, wanted));
    view.classList.toggle('rw-zoomed', scale !== null);
    image.style.width = scale === null ? '' : `${Math.max(1, image.naturalWidth * scale)}px`;
    said.textContent = scale === null ? t('fitted') : `${Math.round(scale * 100)} %`;
  }
  view.addEventListener('keydown', (event) => {
    const acts: Record<string, () => void> = {
      '+': () => set(now() * STEP),
      '=': () => set(now() * STEP),
      '-': () => set(now() / STEP),
      '0': () => set(null),
      '1': () => set(1),
    };
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : acts[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  });
  view.addEventListener(
    'wheel',
    (event) => {
      if (document.activeElement !== view && !event.ctrlKey) return;
      event.preventDefault();
      set(now() * (event.deltaY < 0 ? STEP : 1 / STEP));
    },
    { passive: false },
  );
  view.addEventListener('pointerdown', (event) => {
    if (scale === null || event.button !== 0) return;
    view.setPointerCapture(event.pointerId);
    const drag = (moved: PointerEvent): void => {
      view.scrollLeft -= moved.movementX;
      view.scrollTop -= moved.movementY;
    };
    view.addEventListener('pointermove', drag);
    view.addEventListener('lostpointercapture', () => view.removeEventListener('pointermove', drag), { once: true });
  });
  image.addEventListener('error', () =>
    replace(whole, h('div', { class: 'rw-dim', role: 'status' }, t('imageBroken'))),
  );
  return whole;
}
