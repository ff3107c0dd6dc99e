import { expect, test } from 'vitest';
import { columnsApart, hunksOf, notebookLines } from '../src/model/files/file-differences';
import type { Notebook } from '../src/model/files/notebook';

test('changed lines are shown between unchanged ones', () => {
  const numbers = Array.from({ length: 20 }, (_, at) => `${at + 1}\n`).join('');
  expect(hunksOf(numbers, numbers.replace('10\n', 'ten\n'))).toEqual([
    {
      place: '@@ -7,7 +7,7 @@',
      changes: [
        ...['7', '8', '9'].map((text) => ({ kind: 'same', text })),
        { kind: 'removed', text: '10' },
        { kind: 'added', text: 'ten' },
        ...['11', '12', '13'].map((text) => ({ kind: 'same', text })),
      ],
    },
  ]);
});

test('a missing line end at the end and the line ends of Windows are not differences', () => {
  expect(hunksOf('a\r\nb\r\n', 'a\nb\n')).toEqual([]);
  expect(hunksOf('a\nb', 'a\nc')?.[0]?.changes).toEqual([
    { kind: 'same', text: 'a' },
    { kind: 'removed', text: 'b' },
    { kind: 'added', text: 'c' },
  ]);
});

test('texts without anything in common are not compared forever', () => {
  const words = (seed: number): string =>
    Array.from({ length: 60_000 }, (_, at) => `${(at * seed) % 1_000_003}\n`).join('');
  expect(hunksOf(words(7919), words(104_729))).toBeNull();
});

test('a notebook is compared by its cells, their outputs and where it was executed, not by times', () => {
  const notebook = (loss: string, version: string, picture: string): Notebook => ({
    metadata: {
      kernelspec: { name: 'python3' },
      runwidgets: { environment: { python: '3.11.7', packages: { numpy: version } } },
    },
    cells: [
      { cell_type: 'markdown', source: '# Title' },
      {
        cell_type: 'code',
        source: ['loss = 1\n', 'loss'],
        execution_count: 3,
        metadata: { runwidgets: { number: 1 }, papermill: { duration: Math.random() } },
        outputs: [
          { output_type: 'stream', name: 'stdout', text: ['begun\n'] },
          { output_type: 'execute_result', data: { 'text/plain': loss, 'image/png': picture } },
        ],
      },
    ],
  });
  const one = notebookLines(notebook('0.5', '2.1', 'abcd'));
  expect(one.split('\n')).toEqual([
    'kernel: python3',
    'environment.python: 3.11.7',
    'environment.packages.numpy: 2.1',
    '── markdown cell',
    '# Title',
    '── code cell 1',
    'loss = 1',
    'loss',
    '[stdout]',
    'begun',
    '[text/plain]',
    '0.5',
    '[image/png] 4 characters, sum ce3479bd',
    '',
  ]);
  const other = notebookLines(notebook('0.4', '2.2', 'abce'));
  const changed = hunksOf(one, other)
    ?.flatMap(({ changes }) => changes)
    .filter(({ kind }) => kind === 'added')
    .map(({ text }) => text);
  expect(changed).toEqual([
    'environment.packages.numpy: 2.2',
    '0.4',
    expect.stringContaining('[image/png] 4 characters'),
  ]);
  expect(notebookLines(notebook('0.5', '2.1', 'abcd'))).toBe(one);
});

test('columns that only one of two tables has are named', () => {
  expect(columnsApart({ rows: 2, columns: ['x', 'y'] }, { rows: 2, columns: ['y', 'z'] })).toEqual({
    more: ['z'],
    less: ['x'],
  });
});
