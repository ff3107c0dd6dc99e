import { h, question, replace } from '../dom';
import { countPoints, MOST_POINTS, type Swept } from '../space';
import { t } from '../text';

/** From more runs than these on, the button asks. */
const MANY = 100;

const wordOf = (swept: Swept): string => {
  const n = countPoints(swept);
  return swept.length === 0 || n === 0 ? t('start') : n === 1 ? t('startOne') : t('startMany', { n: n.toLocaleString('en') });
};

/** Return what is wrong with the number of runs that values make, null when nothing is. */
export function tooManyOf(swept: Swept): string | null {
  const n = countPoints(swept);
  return n > MOST_POINTS ? t('tooManyRuns', { n: n.toLocaleString('en'), most: MOST_POINTS.toLocaleString('en') }) : null;
}

/** The button that starts: it says how many runs, and asks where they are many. */
export function startButton(lackId: string, agreed: () => void): {
  element: HTMLElement;
  tell(swept: Swept): void;
  /** Ask where there are many; returns whether there was something to ask. */
  asks(swept: Swept): boolean;
  busy(isBusy: boolean): void;
} {
  const button = h('button', { type: 'submit', class: 'rw-button rw-primary', 'aria-describedby': lackId }, t('start'));
  const times = h('span', { class: 'rw-dim', role: 'status' });
  const place = h('span', { class: 'rw-ask' }, button);
  const element = h('span', { class: 'rw-ask' }, place, times);
  let word = t('start');
  const calm = (): void => {
    if (!place.contains(button)) replace(place, button);
  };
  return {
    element,
    tell(swept) {
      calm();
      word = wordOf(swept);
      if (!button.disabled) button.textContent = word;
      const factors = swept.map(([parameter, values]) => `${values.length} ${parameter.label ?? parameter.name}`);
      const n = countPoints(swept);
      times.textContent = factors.length > 1 && n > 0 ? t('sweepTimes', { times: factors.join(' × '), n: n.toLocaleString('en') }) : '';
    },
    asks(swept) {
      const n = countPoints(swept);
      if (n <= MANY) return false;
      const shown = n.toLocaleString('en');
      question(place, { ask: t('startAsk', { n: shown }), yes: t('startYes', { n: shown }), no: t('no'), kind: 'rw-primary' }, (isYes) => {
        calm();
        button.focus();
        if (isYes) agreed();
      });
      return true;
    },
    busy(isBusy) {
      button.disabled = isBusy;
      button.textContent = isBusy ? t('starting') : word;
    },
  };
}
