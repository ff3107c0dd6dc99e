import { expect, test } from 'vitest';
import {
  type ComparisonLine,
  comparisonToCsv,
  comparisonToMarkdown,
  deltaOf,
  differs,
  sectionsOf,
} from '../src/model/runs/run-comparison';
import type { JsonValue, RunHandle } from '../src/model/types';

const run = (
  given: { [name: string]: JsonValue },
  metrics: { [name: string]: JsonValue },
  sha256 = 'a',
): RunHandle => ({
  id: 'r',
  state: 'SUCCESS',
  createdAt: '',
  startedAt: '2026-01-01T00:00:00Z',
  finishedAt: '2026-01-01T00:00:02Z',
  workflowId: 'w',
  groupId: 'g',
  notebook: 'n.ipynb',
  version: 'v',
  parameters: [],
  arguments: Object.entries(given).map(([name, value]) => ({ name, value })),
  metrics,
  files: [{ id: 'f', name: 'x.csv', mimeType: 'text/csv', size: 5, sha256 }],
});
const line = (runs: RunHandle[], name: string): ComparisonLine =>
  sectionsOf(runs)
    .flatMap(({ lines }) => lines)
    .find((each) => each.name === name) as ComparisonLine;

test('what is missing, what is null and what is empty are different', () => {
  const runs = [run({}, {}), run({ note: null }, {}), run({ note: '' }, {})];
  expect(line(runs, 'note').cells.map(({ text }) => text)).toEqual(['–', 'null', 'empty text']);
  expect(differs(line(runs.slice(0, 2), 'note'))).toBe(true);
  expect(differs(line(runs.slice(1), 'note'))).toBe(true);
});

test('files differ by what is in them, whatever their size', () => {
  expect(differs(line([run({}, {}), run({}, {})], 'x.csv'))).toBe(false);
  expect(differs(line([run({}, {}, 'a'), run({}, {}, 'b')], 'x.csv'))).toBe(true);
});

test('numbers are compared with a baseline, and are the same if they are near enough', () => {
  const loss = line([run({}, { loss: 0.5 }), run({}, { loss: 0.505 }), run({}, { loss: -1 })], 'loss');
  const [base, near, far] = loss.cells as [
    ComparisonLine['cells'][0],
    ComparisonLine['cells'][0],
    ComparisonLine['cells'][0],
  ];
  expect(deltaOf(near, base)).toBe('+0.005 (×1.01)');
  expect(deltaOf(far, base)).toBe('−1.5');
  expect(deltaOf(base, base)).toBe('');
  const two = { ...loss, cells: [base, near] };
  expect([differs(two), differs(two, 0.01), differs(loss, 0.01)]).toEqual([true, false, true]);
});

test('a comparison is copied as Markdown and saved as CSV, whatever is in it', () => {
  const sections = sectionsOf([run({ note: 'a|<b>\nc' }, {}), run({ note: '"q", r' }, { loss: 0.123456789 })]);
  const markdown = comparisonToMarkdown(['one', 'two'], sections).split('\n');
  expect(markdown[0]).toBe('|  | one | two |');
  expect(markdown[1]).toBe('| --- | --- | --- |');
  expect(markdown).toContain('| note | a\\|\\<b> c | "q", r |');
  const kept = comparisonToCsv(['one', 'two'], sections);
  expect(kept).toContain('Arguments,note,"a|<b>\nc","""q"", r"\r\n');
  expect(kept).toContain('Metrics,loss,,0.123456789\r\n');
});
