import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { label, makeAxis } from '../../model/sweep/axes';
import { frontOf } from '../../model/sweep/pareto-front';
import { describePoint, sampled } from '../../model/sweep/sweep-summary';
import type { JsonValue, Objective } from '../../model/types';
import { h, replace } from '../dom';
import { axes, s } from '../svg';

const [WIDTH, HEIGHT] = [800, 300];
const MAX_DOTS = 2000;
const MAX_LISTED = 50;

export interface FrontShown {
  rows: readonly RunRow[];
  objectives: readonly Objective[];
  /** The parameters that vary, in the order in which they are described. */
  varied: readonly string[];
  isLog: boolean;
  open(id: string): void;
}

const metricOf = (row: RunRow, objective: Objective): JsonValue => row.metrics[objective.metric] ?? null;

const describe = (row: RunRow, { objectives, varied }: FrontShown): string =>
  [
    describePoint(row, varied),
    objectives.map((each) => `${visible(each.metric, true)} = ${label(metricOf(row, each))}`).join(', '),
  ].join(': ');

/** Draw the runs by the first two objectives, those of the front darker, and list the front, if they have changed. */
export function drawFront(section: HTMLElement, shown: FrontShown): void {
  const front = frontOf(shown.rows, shown.objectives);
  section.hidden = shown.objectives.length < 2 || front.length === 0;
  if (section.hidden) return;
  const measured = shown.rows.filter(
    (row) => row.state === 'SUCCESS' && shown.objectives.every((each) => typeof metricOf(row, each) === 'number'),
  );
  const key = JSON.stringify([front.map(({ id }) => id), measured.map(({ id }) => id), shown.varied, shown.isLog]);
  if (section.dataset.key === key) return; // a button in it may have the focus
  section.dataset.key = key;
  const title = t('frontOf', { n: front.length, all: measured.length });
  replace(section, h('div', { class: 'rw-bestline' }, title), plot(shown, measured, front, title), list(shown, front));
}

function plot(shown: FrontShown, measured: readonly RunRow[], front: readonly RunRow[], title: string): HTMLElement {
  const [across, up] = shown.objectives as [Objective, Objective];
  const axisOf = (objective: Objective): ReturnType<typeof makeAxis> =>
    makeAxis(
      objective.metric,
      measured.map((row) => metricOf(row, objective)),
      shown.isLog,
    );
  const { drawing, x, y } = axes(axisOf(across), axisOf(up), WIDTH, HEIGHT);
  const best = new Set(front);
  const others = sampled(
    measured.filter((row) => !best.has(row)),
    MAX_DOTS,
    null,
  );
  for (const row of [...others, ...front]) {
    const dot = s('circle', {
      cx: x(metricOf(row, across)),
      cy: y(metricOf(row, up)),
      r: best.has(row) ? 6 : 3.5,
      class: best.has(row) ? 'rw-dot rw-best' : 'rw-dot',
    });
    dot.append(s('title', {}, describe(row, shown)));
    dot.addEventListener('click', () => shown.open(row.id));
    drawing.append(dot);
  }
  drawing.setAttribute('aria-label', title);
  return h('figure', { class: 'rw-figure' }, drawing as unknown as HTMLElement);
}

function list(shown: FrontShown, front: readonly RunRow[]): HTMLElement {
  const entries = front.slice(0, MAX_LISTED).map((row) =>
    h(
      'li',
      {},
      h('bdi', { class: 'rw-what' }, describe(row, shown)),
      h(
        'button',
        {
          type: 'button',
          class: 'rw-button rw-quiet',
          'aria-label': `${t('open')}: ${describePoint(row, shown.varied)}`,
          onclick: () => shown.open(row.id),
        },
        t('open'),
      ),
    ),
  );
  const rest = front.length - entries.length;
  return h('ul', { class: 'rw-reasons' }, ...entries, rest > 0 && h('li', {}, t('moreOnFront', { n: rest })));
}
