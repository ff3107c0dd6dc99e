import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { STATE_SIGNS } from '../../model/states';
import { type Direction, label, makeAxis } from '../../model/sweep/axes';
import type { Grid } from '../../model/sweep/heat-map';
import { bestOf, describePoint } from '../../model/sweep/sweep-summary';
import type { StateName } from '../../model/types';
import { h } from '../dom';

const ORDER: StateName[] = ['ERROR', 'RUNNING', 'PENDING', 'CANCELED', 'SUCCESS'];

export interface HeatMap {
  grid: Grid;
  /** The runs in their order, which decides between equally good ones, as in the other views. */
  runs: readonly RunRow[];
  down: string | null;
  across: string;
  varied: readonly string[];
  /** Empty if states are shown. */
  metric: string;
  direction: Direction;
  open(id: string): void;
}

/** The heat map: runs in a grid of two parameters; each cell has the symbol of its state, or its metric with a shade. */
export function heatMapTable({
  grid,
  runs: ordered,
  down,
  across,
  varied,
  metric,
  direction,
  open,
}: HeatMap): HTMLElement {
  const all = grid.rows.flatMap((row) => grid.columns.flatMap((column) => grid.at(row, column)));
  const axis = metric
    ? makeAxis(
        metric,
        all.map((row) => row.metrics[metric] ?? null).filter((each) => typeof each === 'number'),
      )
    : null;
  const present = new Set(all);
  const best = metric
    ? bestOf(
        ordered.filter((row) => present.has(row)),
        metric,
        direction,
      )
    : null;

  function cell(runs: readonly RunRow[], spot: string): HTMLElement {
    const [only] = runs;
    if (!only) return h('td', {});
    const chosen = (metric ? bestOf(runs, metric, direction) : null) ?? only;
    const states = ORDER.filter((state) => runs.some((run) => run.state === state));
    const value =
      metric && chosen.state !== 'ERROR' && chosen.state !== 'CANCELED' ? chosen.metrics[metric] : undefined;
    const signs = states.map((state) => STATE_SIGNS[state]).join('');
    const text = typeof value === 'number' ? label(value) : signs;
    const at = axis && typeof value === 'number' ? (axis.at(value) ?? 0.5) : null;
    const share = at === null ? 0 : Math.round(6 + 34 * (direction === 'minimize' ? 1 - at : at));
    const about =
      `${describePoint(chosen, varied)}: ${states.map((state) => t(state)).join(', ')}` +
      (typeof value === 'number' ? `, ${visible(metric, true)} = ${label(value)}` : '') +
      (runs.length > 1 ? ` (${t('runsHere', { n: runs.length })})` : '');
    return h(
      'td',
      {
        class: chosen === best ? 'rw-best' : null,
        style: at === null ? null : `background: color-mix(in srgb, var(--rw-brand) ${share}%, var(--rw-paper))`,
      },
      h(
        'button',
        {
          type: 'button',
          tabindex: -1,
          'data-run': chosen.id,
          'data-at': spot,
          'aria-label': about,
          title: about,
          onclick: () => open(chosen.id),
        },
        text,
        runs.length > 1 ? h('sub', {}, `×${runs.length}`) : null,
      ),
    );
  }

  const body = h(
    'tbody',
    {},
    ...grid.rows.map((row) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, down === null ? '' : label(row)),
        ...grid.columns.map((column) => cell(grid.at(row, column), JSON.stringify([row, column]))),
      ),
    ),
  );
  const table = h(
    'table',
    { class: 'rw-table rw-grid-of' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, down === null ? across : `${down} ↓ ${across} →`),
        ...grid.columns.map((column) => h('th', { scope: 'col' }, label(column))),
      ),
    ),
    body,
  );
  walkable(body);
  return table;
}

/** Focus a cell of a grid that was redrawn, by its values. */
export function focusCell(grid: HTMLElement, at: string): void {
  const buttons = [...grid.querySelectorAll('button')];
  const target = buttons.find((each) => each.dataset.at === at);
  if (!target) return;
  for (const each of buttons) each.setAttribute('tabindex', each === target ? '0' : '-1');
  target.focus({ preventScroll: true });
}

/** One stop for Tab; arrow keys move between the cells. */
function walkable(body: HTMLElement): void {
  body.querySelector('button')?.setAttribute('tabindex', '0');
  body.addEventListener('keydown', (event) => {
    const from = (event.target as HTMLElement).closest('td');
    const steps: { [key: string]: [number, number] } = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
    };
    const step = steps[event.key];
    const row = from?.parentElement as HTMLTableRowElement | null | undefined;
    if (!from || !row || !step) return;
    event.preventDefault();
    let [down, across] = [row.sectionRowIndex, from.cellIndex];
    for (;;) {
      [down, across] = [down + step[0], across + step[1]];
      const place = (body as HTMLTableSectionElement).rows[down]?.cells[across];
      if (!place || place.tagName === 'TH') return;
      const target = place.querySelector('button');
      if (!target) continue;
      from.querySelector('button')?.setAttribute('tabindex', '-1');
      target.setAttribute('tabindex', '0');
      target.focus();
      return;
    }
  });
}
