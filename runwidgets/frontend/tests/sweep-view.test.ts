import { expect, test } from 'vitest';
import { applyToRow, type RunRow } from '../src/model/runs/run-rows';
import { label, makeAxis, powerTicks, roundTicks } from '../src/model/sweep/axes';
import { makeGrid } from '../src/model/sweep/heat-map';
import { frontOf } from '../src/model/sweep/pareto-front';
import { begunAt, estimate } from '../src/model/sweep/remaining-time';
import {
  bestOf,
  describePoint,
  groupFailures,
  mostVaried,
  numericMetrics,
  sampled,
} from '../src/model/sweep/sweep-summary';
import type { JsonValue, Objective, ReasonName, RunEvent, StateName } from '../src/model/types';
import { drawFailures } from '../src/views/sweep/failures';
import { drawFront } from '../src/views/sweep/front-plot';
import { focusCell, heatMapTable } from '../src/views/sweep/heat-map';

const row = (
  id: string,
  given: { [name: string]: JsonValue },
  loss: JsonValue = null,
  state: StateName = 'SUCCESS',
  message: string | null = null,
): RunRow => ({
  id,
  state,
  createdAt: '',
  startedAt: '2026-01-01T00:00:00Z',
  finishedAt: '2026-01-01T00:00:10Z',
  arguments: given,
  metrics: loss === null ? {} : { loss },
  message,
});

test('ticks are round and lie between the bounds', () => {
  expect(roundTicks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(roundTicks(2, 6)).toEqual([2, 3, 4, 5, 6]);
  expect(roundTicks(-0.3, 0.3, 3)).toEqual([-0.2, 0, 0.2]);
  expect(roundTicks(5, 5)).toEqual([5]);
  expect(powerTicks(1e-3, 1)).toEqual([0.001, 0.01, 0.1, 1]);
  expect(powerTicks(2, 30)).toEqual([2, 30]);
});

test('an axis of numbers is linear, or logarithmic if they span orders of magnitude; others are ordinal', () => {
  const plain = makeAxis('a', [3, 1, 2, 1]);
  expect([plain.at(1), plain.at(2), plain.at(3), plain.at('x')]).toEqual([0, 0.5, 1, null]);
  const wide = makeAxis('a', [0.001, 0.1, 1]);
  expect([wide.isLog, makeAxis('a', [0.001, 1], false).isLog, makeAxis('a', [0, 1000]).isLog]).toEqual([
    true,
    false,
    false,
  ]);
  expect(wide.at(0.1)).toBeCloseTo(2 / 3);
  const words = makeAxis('a', ['tree', 'forest', true]);
  expect([words.isNumeric, words.values.length, words.at('forest')]).toEqual([false, 3, 0]);
  expect(makeAxis('a', [4]).at(4)).toBe(0.5);
});

test('labels are short', () => {
  expect([0.1234567, 1234567, 0.00001, 5, 'tree', null, [1, 2], true].map((each) => label(each))).toEqual([
    '0.1235',
    '1.23e6',
    '1e-5',
    '5',
    'tree',
    'default',
    '[1,2]',
    'true',
  ]);
});

test('the best run is the successful one with the least or greatest number', () => {
  const rows = [row('a', {}, 3), row('b', {}, 1, 'ERROR'), row('c', {}, 2), row('d', {}, 'NaN'), row('e', {})];
  expect(bestOf(rows, 'loss', 'minimize')?.id).toBe('c');
  expect(bestOf(rows, 'loss', 'maximize')?.id).toBe('a');
  expect(bestOf(rows, 'other', 'minimize')).toBe(null);
  expect(numericMetrics(rows)).toEqual(['loss']);
});

const failed = (id: string, reason: ReasonName, cell: number, message: string): RunRow => ({
  ...row(id, {}, null, 'ERROR', message),
  reason,
  cell,
});

test('failures are grouped by their reason and the cell that failed, the most frequent first', () => {
  const rows = [
    failed('a', 'timeout', 2, 'too slow'),
    failed('b', 'cell_error', 3, 'cell 3 raised ValueError: 1'),
    failed('c', 'cell_error', 3, 'cell 3 raised ValueError: 2'),
    failed('d', 'cell_error', 3, 'cell 3 raised ValueError: 2'),
    failed('e', 'timeout', 3, 'too slow'),
    failed('f', 'cell_error', 4, 'cell 4 raised ValueError: \u202egnp'),
    row('g', {}),
  ];
  expect(
    groupFailures(rows).map(({ reason, cell, messages, rows: found }) => [reason, cell, messages.size, found.length]),
  ).toEqual([
    ['cell_error', 3, 2, 3],
    ['timeout', null, 1, 2],
    ['cell_error', 4, 1, 1],
  ]);

  const place = document.createElement('details');
  drawFailures(place, rows, [], () => undefined);
  expect([...place.querySelectorAll('li')].map((each) => each.textContent)).toEqual([
    '3 × cell 3 raised ValueError: 1 (one of 2 messages)Open',
    '2 × too slowOpen',
    '1 × cell 4 raised ValueError: ⟨U+202E⟩gnpOpen',
  ]);
});

test('a run keeps the cell that it began last, which may be the one that fails', () => {
  const one = { ...row('a', {}, null, 'RUNNING'), cell: 2 };
  applyToRow(one, { kind: 'progress', data: { cell: 3, fraction: 0.5, text: '' } } as unknown as RunEvent);
  applyToRow(one, { kind: 'state', data: { state: 'ERROR', reason: 'cell_error' } } as unknown as RunEvent);
  expect(groupFailures([one])[0]).toMatchObject({ reason: 'cell_error', cell: 3 });
});

test('a grid has the selected runs at their values, and says how many values it has no space for', () => {
  const rows = [1, 2, 3].flatMap((a) => ['x', 'y'].map((b) => row(`${a}${b}`, { a, b, c: a % 2 })));
  const grid = makeGrid(rows, 'b', 'a', new Map());
  expect([grid.rows, grid.columns, grid.at('y', 2).map(({ id }) => id), grid.leftOut]).toEqual([
    ['x', 'y'],
    [1, 2, 3],
    ['2y'],
    0,
  ]);
  expect(makeGrid(rows, 'b', 'a', new Map([['c', '1']])).columns).toEqual([1, 3]);
  expect(makeGrid(rows, null, 'a', new Map()).at(null, 3)).toHaveLength(2);
  expect(makeGrid(rows, 'b', 'c', new Map([['c', '1']])).columns).toEqual([0, 1]);
  const cut = makeGrid(rows, 'b', 'a', new Map(), 2);
  expect([cut.columns, cut.leftOut]).toEqual([[1, 2], 1]);
  expect(mostVaried([...rows, row('more', { a: 1, d: 1 })], ['a', 'b', 'c', 'd', 'e'])).toEqual(['a', 'b', 'c', 'd']);
  expect(describePoint(rows[0] as RunRow, ['a', 'b'])).toBe('a = 1, b = x');
});

test('the remaining time is estimated from how fast runs ended lately', () => {
  const made = '2026-01-01T00:00:00Z';
  const begun = Date.parse(made);
  const old = { ...row('o', {}), startedAt: '2025-01-01T00:00:00Z', finishedAt: '2025-01-01T00:00:01Z' };
  const waiting = { ...row('w', {}, null, 'PENDING'), startedAt: null, finishedAt: null };
  expect(estimate([old, row('a', {}), row('b', {}), waiting, waiting], made, begun + 10_000)).toEqual({
    seconds: 10,
    basis: 2,
  });
  expect([
    estimate([waiting], made, begun),
    estimate([old, waiting], made, begun),
    estimate([row('a', {})], made, begun),
  ]).toEqual([null, null, null]);
  expect([begunAt([old, row('a', {})], made), begunAt([old, waiting], made)]).toEqual([begun, null]);
});

test('a run that was cancelled before it began says nothing about how fast runs end', () => {
  const made = '2026-01-01T00:00:00Z';
  const waiting = { ...row('w', {}, null, 'PENDING'), startedAt: null, finishedAt: null };
  const cancelled = { ...row('c', {}, null, 'CANCELED'), startedAt: made, finishedAt: made };
  expect([begunAt([cancelled], made), estimate([cancelled, waiting], made, Date.parse(made) + 10_000)]).toEqual([
    null,
    null,
  ]);
});

test('of many runs some are drawn, the best among them', () => {
  const rows = [...Array(100).keys()].map((at) => row(String(at), {}));
  const best = rows[99] as RunRow;
  expect(sampled(rows, 10, best).map(({ id }) => id)).toEqual([
    '0',
    '10',
    '20',
    '30',
    '40',
    '50',
    '60',
    '70',
    '80',
    '99',
  ]);
  expect(sampled(rows, 100, best)).toHaveLength(100);
});

test('of equally good runs the heat map marks the one that is named as the best, and a cell gets its focus back', () => {
  const runs = [row('a', { x: 2, y: 2 }, 1), row('b', { x: 1, y: 1 }, 1), row('c', { x: 1, y: 2 }, 3)];
  const draw = (): HTMLElement =>
    heatMapTable({
      grid: makeGrid(runs, 'y', 'x', new Map()),
      runs,
      down: 'y',
      across: 'x',
      varied: ['x', 'y'],
      metric: 'loss',
      direction: 'minimize',
      open: () => undefined,
    });
  const place = document.body.appendChild(document.createElement('div'));
  place.append(draw());
  expect(place.querySelector('.rw-best button')?.getAttribute('data-run')).toBe(bestOf(runs, 'loss', 'minimize')?.id);
  const at = place.querySelector<HTMLElement>('[data-run=c]')?.dataset.at ?? '';
  place.replaceChildren(draw());
  focusCell(place, at);
  expect((document.activeElement as HTMLElement).dataset.run).toBe('c');
  expect([...place.querySelectorAll('button[tabindex="0"]')].length).toBe(1);
});

const objectives: Objective[] = [
  { metric: 'loss', direction: 'minimize' },
  { metric: 'gain', direction: 'maximize' },
];

const measured = (id: string, loss: JsonValue, gain: JsonValue, state: StateName = 'SUCCESS'): RunRow => ({
  ...row(id, { x: id }, loss, state),
  metrics: { loss, gain },
});

test('the front has the runs to which none is preferable, in their order', () => {
  const rows = [
    ...[measured('c', 3, 9), measured('a', 1, 1), measured('d', 4, 9), measured('b', 2, 5), measured('e', 5, 2)],
    ...[measured('same', 2, 5), measured('failed', 0, 10, 'ERROR'), measured('nan', 'NaN', 20)],
  ];
  expect(frontOf(rows, objectives).map(({ id }) => id)).toEqual(['c', 'a', 'b', 'same']);
  expect(frontOf(rows, objectives.slice(0, 1)).map(({ id }) => id)).toEqual(['a']);
  expect(frontOf([], objectives)).toEqual([]);
});

test('the front of a search is drawn among the other runs and listed, and its runs can be opened', () => {
  const place = document.createElement('section');
  const opened: string[] = [];
  const rows = [measured('a', 1, 1), measured('b', 2, 5), measured('e', 5, 2)];
  const shown = { rows, objectives, varied: ['x'], isLog: true, open: (id: string) => void opened.push(id) };
  drawFront(place, shown);
  expect(place.textContent).toContain('Pareto front: 2 of 3 runs');
  expect([...place.querySelectorAll('li bdi')].map((each) => each.textContent)).toEqual([
    'x = a: loss = 1, gain = 1',
    'x = b: loss = 2, gain = 5',
  ]);
  expect([place.querySelectorAll('circle').length, place.querySelectorAll('.rw-best').length]).toEqual([3, 2]);
  place.querySelector('button')?.click();
  expect(opened).toEqual(['a']);
  drawFront(place, { ...shown, objectives: objectives.slice(0, 1) });
  expect(place.hidden).toBe(true);
});
