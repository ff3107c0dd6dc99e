/** Whether a mouse button is down in an element: what redraws it waits, because the click would be lost. */

export interface Press {
  /** Act at once, or once after the button was released. */
  settled(act: () => void): void;
  close(): void;
}

export function watchPress(element: HTMLElement): Press {
  const waiting = new Set<() => void>();
  let isDown = false;
  const pressed = (): void => {
    isDown = true;
  };
  const act = (): void => {
    if (isDown) return;
    const due = [...waiting];
    waiting.clear();
    for (const each of due) each();
  };
  const released = (): void => {
    isDown = false;
    setTimeout(act); // after the click
  };
  element.addEventListener('pointerdown', pressed, true);
  document.addEventListener('pointerup', released);
  document.addEventListener('pointercancel', released);
  return {
    settled: (later) => {
      if (isDown) waiting.add(later);
      else later();
    },
    close: () => {
      waiting.clear();
      element.removeEventListener('pointerdown', pressed, true);
      document.removeEventListener('pointerup', released);
      document.removeEventListener('pointercancel', released);
    },
  };
}
