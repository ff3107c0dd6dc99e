import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { type Axis, type Direction, label, makeAxis } from '../../model/sweep/axes';
import { bestOf, describePoint, sampled } from '../../model/sweep/sweep-summary';
import type { JsonValue } from '../../model/types';
import { h } from '../dom';
import { axes, frame, s } from '../svg';
import { brush, type Frame } from './brush';

const [WIDTH, HEIGHT] = [800, 300];
const MOST = 2000;
const MOST_CHOSEN = 200;
const MOST_AXES = 8;

export interface Plotted {
  rows: readonly RunRow[];
  /** The parameters that vary, in the order in which they are drawn. */
  varied: readonly string[];
  metric: string;
  direction: Direction;
  isLog: boolean;
  /** The runs that are selected in the table. */
  selected: ReadonlySet<string>;
  open(id: string): void;
  /** Select runs in the table, or narrow the selection to these. */
  choose(ids: readonly string[], isNarrowing: boolean): void;
}

const NEAR = 12;

/** Plot the metric by one parameter, or as parallel coordinates if several vary. */
export function plot(given: Plotted): HTMLElement {
  const isLost = (row: RunRow): boolean => row.state === 'ERROR' || row.state === 'CANCELED';
  const isWhole = (row: RunRow): boolean => given.varied.every((name) => name in row.arguments);
  const measured = given.rows.filter(
    (row) => !isLost(row) && typeof row.metrics[given.metric] === 'number' && isWhole(row),
  );
  const best = bestOf(measured, given.metric, given.direction);
  if (measured.length === 0 || given.varied.length === 0)
    return h('div', { class: 'rw-dim rw-empty' }, t('nothingToPlot'));
  const chosen = measured.filter((row) => given.selected.has(row.id)).slice(0, MOST_CHOSEN);
  const shown = [...new Set([...sampled(measured, MOST, best), ...chosen])];
  const [first] = given.varied;
  const drawing =
    given.varied.length === 1 && first !== undefined
      ? points(given, measured, shown, best, first)
      : lines(given, measured, shown, best);
  const lost = given.rows.filter(isLost).length;
  const partial = given.rows.filter((row) => !isWhole(row)).length;
  const notes = [
    best
      ? t('bestOf', {
          metric: visible(given.metric, true),
          value: label(best.metrics[given.metric] ?? null),
          where: describePoint(best, given.varied),
        })
      : '',
    shown.length < measured.length
      ? t('sampled', { n: shown.length.toLocaleString('en'), all: measured.length.toLocaleString('en') })
      : '',
    partial > 0 ? t('partial', { n: partial.toLocaleString('en') }) : '',
    given.varied.length > MOST_AXES ? t('axesCut', { names: given.varied.slice(MOST_AXES).join(', ') }) : '',
    chosen.length > 0 ? t('chosenDrawn', { n: chosen.length.toLocaleString('en') }) : '',
    lost > 0 ? t('notDrawn', { n: lost.toLocaleString('en') }) : '',
  ].filter((each) => each !== '');
  drawing.setAttribute('aria-label', notes.join('; '));
  return h(
    'figure',
    { class: 'rw-figure' },
    drawing as unknown as HTMLElement,
    h(
      'figcaption',
      { class: 'rw-dim' },
      [notes.slice(best ? 1 : 0).join('; '), t('brushHint')].filter((each) => each !== '').join('. '),
    ),
  );
}

function describe(row: RunRow, given: Plotted): string {
  return `${describePoint(row, given.varied)}: ${visible(given.metric, true)} = ${label(row.metrics[given.metric] ?? null)}`;
}

function mark(element: SVGElement, row: RunRow, given: Plotted): SVGElement {
  element.append(s('title', {}, describe(row, given)));
  if (given.selected.has(row.id)) element.classList.add('rw-chosen');
  element.addEventListener('click', () => given.open(row.id));
  return element;
}

type Point = [number, number];

const frameOf = ([x, y]: Point, [toX, toY]: Point): Frame => ({
  left: Math.min(x, toX),
  right: Math.max(x, toX),
  top: Math.min(y, toY),
  bottom: Math.max(y, toY),
});

const holds = ({ left, right, top, bottom }: Frame, [x, y]: Point): boolean =>
  left <= x && x <= right && top <= y && y <= bottom;

/** Return the handler that selects the runs with a point inside a frame. */
const choosing =
  (given: Plotted, measured: readonly RunRow[], pointsOf: (row: RunRow) => Point[]) =>
  (frame: Frame, isNarrowing: boolean): void =>
    given.choose(
      measured.filter((row) => pointsOf(row).some((point) => holds(frame, point))).map((row) => row.id),
      isNarrowing,
    );

/** One parameter: a dot per run, joined in order where it is a number. */
function points(
  given: Plotted,
  measured: readonly RunRow[],
  rows: readonly RunRow[],
  best: RunRow | null,
  name: string,
): SVGElement {
  const across = makeAxis(
    name,
    rows.map((row) => row.arguments[name] ?? null),
    given.isLog,
  );
  const up = makeAxis(
    given.metric,
    rows.map((row) => row.metrics[given.metric] ?? null),
    given.isLog,
  );
  const { drawing, x, y } = axes(across, up, WIDTH, HEIGHT);
  const point = (row: RunRow): Point => [x(row.arguments[name] ?? null), y(row.metrics[given.metric] ?? null)];
  if (across.isNumeric) {
    const ordered = [...rows].sort((one, other) => Number(one.arguments[name]) - Number(other.arguments[name]));
    drawing.append(s('polyline', { points: ordered.map((row) => point(row).join(',')).join(' '), class: 'rw-trace' }));
  }
  brush(
    drawing,
    frameOf,
    choosing(given, measured, (row) => [point(row)]),
  );
  for (const row of rows) {
    const [cx, cy] = point(row);
    drawing.append(
      mark(
        s('circle', { cx, cy, r: row === best ? 6 : 3.5, class: row === best ? 'rw-dot rw-best' : 'rw-dot' }),
        row,
        given,
      ),
    );
  }
  return drawing;
}

/** Parallel coordinates: an axis per parameter, the metric at the right, and a line per run, darker for better ones. */
function lines(given: Plotted, measured: readonly RunRow[], rows: readonly RunRow[], best: RunRow | null): SVGElement {
  const names = given.varied.slice(0, MOST_AXES);
  const stems: Axis[] = names.map((name) =>
    makeAxis(
      name,
      rows.map((row) => row.arguments[name] ?? null),
      given.isLog,
    ),
  );
  const metric = makeAxis(
    given.metric,
    rows.map((row) => row.metrics[given.metric] ?? null),
    given.isLog,
  );
  stems.push(metric);
  const [left, right, top, bottom] = [50, WIDTH - 90, 34, HEIGHT - 16];
  const x = (at: number): number => left + (at / (stems.length - 1)) * (right - left);
  const y = (axis: Axis, value: JsonValue): number => bottom - (axis.at(value) ?? 0.5) * (bottom - top);
  const drawing = frame(WIDTH, HEIGHT);
  const goodness = (row: RunRow): number => {
    const at = metric.at(row.metrics[given.metric] ?? null) ?? 0.5;
    return given.direction === 'minimize' ? 1 - at : at;
  };
  const isChosen = (row: RunRow): number => Number(given.selected.has(row.id));
  const axisValue = (row: RunRow, axis: Axis): JsonValue =>
    (axis === metric ? row.metrics[given.metric] : row.arguments[axis.name]) ?? null;
  const pointsOf = (row: RunRow): Point[] => stems.map((axis, at) => [x(at), y(axis, axisValue(row, axis))]);
  brush(
    drawing,
    (from, to) => {
      const at = stems.findIndex((_, each) => Math.abs(x(each) - from[0]) <= NEAR);
      return at < 0 ? null : frameOf([x(at) - NEAR / 2, from[1]], [x(at) + NEAR / 2, to[1]]);
    },
    choosing(given, measured, pointsOf),
  );
  const ordered = [...rows].sort((one, other) => isChosen(one) - isChosen(other) || goodness(one) - goodness(other));
  for (const row of ordered) {
    const isBest = row === best;
    const share = Math.round(15 + 75 * goodness(row));
    drawing.append(
      mark(
        s('polyline', {
          points: pointsOf(row).join(' '),
          class: isBest ? 'rw-trace rw-best' : 'rw-trace',
          style: isBest ? '' : `stroke: color-mix(in srgb, var(--rw-brand) ${share}%, var(--rw-line))`,
        }),
        row,
        given,
      ),
    );
  }
  stems.forEach((axis, at) => {
    drawing.append(
      s('line', { x1: x(at), x2: x(at), y1: top, y2: bottom, class: 'rw-stem' }),
      s('rect', { x: x(at) - NEAR, y: top, width: 2 * NEAR, height: bottom - top, class: 'rw-grasp' }),
      s('text', { x: x(at), y: 14, 'text-anchor': 'middle', class: 'rw-axis' }, visible(axis.name, true)),
      ...(axis.isLog ? [s('text', { x: x(at), y: 27, 'text-anchor': 'middle' }, t('logScale'))] : []),
    );
    for (const tick of axis.ticks) {
      drawing.append(
        s('text', { x: x(at) + 6, y: bottom - tick.at * (bottom - top) + 4, class: 'rw-halo' }, tick.text),
      );
    }
  });
  return drawing;
}
