import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import { nearest, type Points, thinned } from '../../model/runs/metric-series';
import { label, makeAxis } from '../../model/sweep/axes';
import { h } from '../dom';
import { axes, s } from '../svg';

const [WIDTH, HEIGHT] = [480, 220];
const MOST = 1000;
/** Dash patterns: lines differ by more than their colour. */
const DASHES = ['', '7 4', '2 3', '10 3 2 3', '14 4'];

export interface PlottedSeries {
  /** The name in the legend, where there are several lines. */
  name: string;
  points: Points;
}

/** Plot metrics by step, a line for each; the pointer shows the values. */
export function seriesPlot(metric: string, lines: readonly PlottedSeries[]): HTMLElement {
  const drawn = lines
    .filter(({ points }) => points.length > 0)
    .map(({ name, points }) => ({ name, points: thinned(points, MOST) }));
  const all = drawn.flatMap(({ points }) => points);
  const { drawing, x, y, left, right } = axes(
    makeAxis(
      t('step'),
      all.map(([step]) => step),
      false,
    ),
    makeAxis(
      metric,
      all.map(([, value]) => value),
    ),
    WIDTH,
    HEIGHT,
  );
  drawn.forEach(({ points }, at) => {
    const dashes = { 'stroke-dasharray': DASHES[at % DASHES.length] ?? '' };
    if (points.length === 1) {
      const [[step, value]] = points as [[number, number]];
      drawing.append(s('circle', { cx: x(step), cy: y(value), r: 3.5, class: `rw-dot rw-line-${at % DASHES.length}` }));
    }
    drawing.append(
      s('polyline', {
        points: points.map(([step, value]) => `${x(step)},${y(value)}`).join(' '),
        class: `rw-trace rw-line-${at % DASHES.length}`,
        ...dashes,
      }),
    );
  });
  const says = ({ name, points }: PlottedSeries, [step, value]: [number, number]): string =>
    `${points && drawn.length > 1 ? `${name}: ` : ''}${t('atStep', { value: label(value), step: label(step) })}`;
  const lasts = drawn.map((line) => says(line, line.points[line.points.length - 1] as [number, number]));
  drawing.setAttribute('aria-label', `${visible(metric, true)}: ${lasts.join('; ')}`);
  const caption = h('figcaption', { class: 'rw-dim' }, lasts.join(' · '));
  const steps = all.map(([step]) => step);
  const [low, high] = [Math.min(...steps), Math.max(...steps)];
  drawing.addEventListener('pointermove', (event) => {
    const box = drawing.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * WIDTH - left) / (right - left);
    const found = drawn.map((line) => {
      const point = nearest(line.points, low + share * (high - low));
      return point ? says(line, point) : '';
    });
    caption.textContent = found.join(' · ');
  });
  drawing.addEventListener('pointerleave', () => {
    caption.textContent = lasts.join(' · ');
  });
  const legend =
    drawn.length > 1
      ? h(
          'ul',
          { class: 'rw-legend' },
          ...drawn.map(({ name }, at) => {
            const sample = s(
              'svg',
              { viewBox: '0 0 30 10', width: 30, height: 10, 'aria-hidden': 'true' },
              s('line', {
                x1: 0,
                x2: 30,
                y1: 5,
                y2: 5,
                class: `rw-trace rw-line-${at % DASHES.length}`,
                'stroke-dasharray': DASHES[at % DASHES.length] ?? '',
              }),
            );
            return h('li', {}, sample as unknown as HTMLElement, h('code', {}, name));
          }),
        )
      : null;
  return h(
    'figure',
    { class: 'rw-figure rw-series', 'data-series': metric },
    h('div', { class: 'rw-axis' }, visible(metric, true)),
    drawing as unknown as HTMLElement,
    caption,
    legend,
  );
}
