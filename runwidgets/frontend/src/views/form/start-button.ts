import { countPoints, MOST_POINTS, type Swept } from '../../model/form/parameter-space';
import { took } from '../../model/format';
import { t } from '../../model/messages';
import { toRows } from '../../model/runs/run-rows';
import { ApiError, type Transport } from '../../model/transport';
import type { TablePage } from '../../model/types';
import { h, replace } from '../dom';
import { question } from '../question';

/** The button asks for confirmation above this number of runs. */
const MANY = 100;
/** The number of runs from which the duration of others is estimated. */
const LATEST = 50;

const wordOf = (swept: Swept): string => {
  const n = countPoints(swept);
  return swept.length === 0 || n === 0
    ? t('start')
    : n === 1
      ? t('startOne')
      : t('startMany', { n: n.toLocaleString('en') });
};

/** Return what is wrong with the number of runs, null when nothing is. */
export function tooManyOf(swept: Swept): string | null {
  const n = countPoints(swept);
  return n > MOST_POINTS
    ? t('tooManyRuns', { n: n.toLocaleString('en'), most: MOST_POINTS.toLocaleString('en') })
    : null;
}

/** The usual duration of a run of a group, and the number of runs on which that is based. */
export interface UsualTime {
  seconds: number;
  n: number;
}

/** Fetch how long the latest successful runs of a group took; null if there are none. */
export async function usualTime(transport: Transport, groupId: string): Promise<UsualTime | null> {
  try {
    const rows = toRows(await transport.get<TablePage>(`groups/${groupId}/table?limit=${LATEST}`));
    const seconds = rows
      .filter((row) => row.state === 'SUCCESS' && row.startedAt && row.finishedAt)
      .map((row) => (Date.parse(row.finishedAt ?? '') - Date.parse(row.startedAt ?? '')) / 1000)
      .sort((one, other) => one - other);
    const middle = seconds[Math.floor(seconds.length / 2)];
    return middle === undefined ? null : { seconds: middle, n: seconds.length };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return null; // the error is shown when a run is started
  }
}

/** Describe a sweep: the number of runs, its factors, duplicate values, and the estimated duration. */
export function describeSweep(swept: Swept, usual: UsualTime | null): string {
  const n = countPoints(swept);
  if (n === 0 || swept.length === 0) return '';
  const factors = swept.map(([parameter, values]) => `${values.length} ${parameter.label ?? parameter.name}`);
  const twice = swept.filter(([, values]) => new Set(values.map((each) => JSON.stringify(each))).size < values.length);
  return [
    factors.length > 1
      ? t(n === 1 ? 'sweepTimesOne' : 'sweepTimes', { times: factors.join(' × '), n: n.toLocaleString('en') })
      : '',
    twice.length
      ? t('sameTwice', { names: twice.map(([parameter]) => parameter.label ?? parameter.name).join(', ') })
      : '',
    usual && n > 1 ? t('sweepWork', { time: took(n * usual.seconds), n: usual.n }) : '',
  ]
    .filter((each) => each !== '')
    .join(' · ');
}

/** The start button: it shows the number of runs, and asks for confirmation if there are many. */
export function startButton(
  lackId: string,
  agreed: () => void,
  askUsual: () => Promise<UsualTime | null>,
): {
  element: HTMLElement;
  tell(swept: Swept): void;
  /** Ask for confirmation if there are many runs; returns whether it asks. */
  asks(swept: Swept): boolean;
  busy(isBusy: boolean): void;
} {
  const button = h('button', { type: 'submit', class: 'rw-button rw-primary', 'aria-describedby': lackId }, t('start'));
  const times = h('span', { class: 'rw-dim', role: 'status' });
  const place = h('span', { class: 'rw-ask' }, button);
  const element = h('span', { class: 'rw-ask' }, place, times);
  let word = t('start');
  let usual: UsualTime | null = null;
  let wasAsked = false;
  let latest: Swept = [];
  async function learn(): Promise<void> {
    wasAsked = true;
    usual = await askUsual();
    times.textContent = describeSweep(latest, usual);
  }
  const calm = (): void => {
    if (!place.contains(button)) replace(place, button);
  };
  return {
    element,
    tell(swept) {
      calm();
      word = wordOf(swept);
      if (!button.disabled) button.textContent = word;
      latest = swept;
      times.textContent = describeSweep(swept, usual);
      if (countPoints(swept) > 1 && !wasAsked) void learn();
    },
    asks(swept) {
      const n = countPoints(swept);
      if (n <= MANY) return false;
      const shown = n.toLocaleString('en');
      question(
        place,
        { ask: t('startAsk', { n: shown }), yes: t('startYes', { n: shown }), no: t('no'), kind: 'rw-primary' },
        (isYes) => {
          calm();
          button.focus();
          if (isYes) agreed();
        },
      );
      return true;
    },
    busy(isBusy) {
      button.disabled = isBusy;
      button.textContent = isBusy ? t('submitting') : word;
    },
  };
}
