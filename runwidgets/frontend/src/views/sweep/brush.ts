import { s } from '../svg';

/** A selected range, in the units of the drawing. */
export interface Frame {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** A movement of the pointer that is shorter than this is a click. */
const CLICK = 4;

/**
 * Let the pointer select a range on an axis.
 *
 * `hold` returns the frame between two points, null if none can begin there; `done`
 * is called with the last one, and whether Shift was pressed.
 */
export function brush(
  drawing: SVGElement,
  hold: (from: [number, number], to: [number, number]) => Frame | null,
  done: (frame: Frame, isNarrowing: boolean) => void,
): void {
  const [width = 0] = (drawing.getAttribute('viewBox') ?? '').split(' ').slice(2).map(Number);
  const placeOf = (event: PointerEvent): [number, number] => {
    const box = drawing.getBoundingClientRect();
    return [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * width) / box.width];
  };
  drawing.addEventListener('pointerdown', (down: PointerEvent) => {
    const from = placeOf(down);
    if (down.button !== 0 || hold(from, from) === null) return;
    down.preventDefault(); // so that no text is selected
    const band = s('rect', { class: 'rw-band' });
    let frame: Frame | null = null;
    const move = (event: PointerEvent): void => {
      const to = placeOf(event);
      if (!frame && Math.hypot(to[0] - from[0], to[1] - from[1]) < CLICK) return;
      if (!frame) {
        drawing.setPointerCapture(down.pointerId); // so that the lines below receive no click
        drawing.append(band);
      }
      frame = hold(from, to);
      if (!frame) return;
      const { left, right, top, bottom } = frame;
      for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top }))
        band.setAttribute(name, String(value));
    };
    const end = (event: PointerEvent): void => {
      drawing.removeEventListener('pointermove', move);
      drawing.removeEventListener('pointerup', end);
      drawing.removeEventListener('pointercancel', end);
      band.remove();
      if (frame && event.type === 'pointerup') done(frame, event.shiftKey);
    };
    drawing.addEventListener('pointermove', move);
    drawing.addEventListener('pointerup', end);
    drawing.addEventListener('pointercancel', end);
  });
}
