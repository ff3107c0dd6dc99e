// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import { type Notebook, tracebackOf, traceOf } from '../src/model/files/notebook';
import type { Transport } from '../src/model/transport';
import type { RunHandle } from '../src/model/types';
import { notebookPreview } from '../src/views/previews/notebook';
import { CellsView, cellTimes, seconds } from '../src/views/run/cell-list';
import { failureBox } from '../src/views/run/failure';
import { LogView } from '../src/views/run/run-log';
import { warningList } from '../src/views/warnings';

const frame = (): Promise<void> =>
  new Promise((resolve) => {
    requestAnimationFrame(() => resolve());
  });
const cell = (source: string, status: string, duration: number | null, number?: number) => ({
  cell_type: 'code',
  source,
  metadata: { runwidgets: { status, ...(number && { number }) }, papermill: { duration } },
});
const NOTEBOOK: Notebook = {
  cells: [
    { cell_type: 'markdown', source: '# Fit' },
    cell('\n%%time\nimport numpy\nx = 1', 'ok', 1.25, 1),
    cell('', 'ok', 0.001),
    {
      ...cell('fail()', 'error', 0.004, 2),
      outputs: [
        { output_type: 'error', ename: 'ValueError', evalue: 'no', traceback: ['\x1b[31mValueError\x1b[0m', 'no'] },
      ],
    },
    cell('left_out = 2', 'not run', null),
    cell('after = 2', 'not run', null, 3),
  ],
};

test('the cells of a run have their number among the executed ones, first line, status and duration', () => {
  expect(cellTimes(NOTEBOOK)).toEqual([
    { number: 1, line: 'import numpy', status: 'ok', duration: 1.25 },
    { number: 2, line: 'fail()', status: 'error', duration: 0.004 },
    { number: null, line: 'left_out = 2', status: 'not run', duration: null },
    { number: 3, line: 'after = 2', status: 'not run', duration: null },
  ]);
  expect([0.0042, 0.9996, 12.34, 59.96, 3725].map(seconds)).toEqual([
    '4 ms',
    '1.0 s',
    '12.3 s',
    '1 min 0 s',
    '62 min 5 s',
  ]);
});

test('a cell that is left out says so and why, in the list of cells and in the notebook', async () => {
  const why = "config.skip_tags has its tag 'slow'";
  const leftOut = {
    ...cell('train()', 'not run', null),
    metadata: { runwidgets: { status: 'not run', leftOut: why } },
  };
  const notebook = { cells: [leftOut, cell('x = 1', 'ok', 1, 1)] };
  const view = new CellsView({ get: () => Promise.resolve(notebook) } as unknown as Transport);
  view.accept({ id: 'r', state: 'SUCCESS' } as RunHandle);
  view.element.open = true;
  view.element.dispatchEvent(new Event('toggle'));

  await vi.waitFor(() => expect(view.element.querySelectorAll('tbody tr')).toHaveLength(2));
  expect([...view.element.querySelectorAll('.rw-took')].map((each) => each.textContent)).toEqual(['left out', '1.0 s']);
  expect(view.element.querySelector(`[title="left out: ${why}"]`)).not.toBeNull();
  view.close();
  const shown = notebookPreview(notebook, () => document.createElement('p'));
  expect([...shown.querySelectorAll('.rw-dim')].map((each) => each.textContent)).toEqual([`left out: ${why}`]);
});

test('the traceback of a run that went on after errors is that of the cell that ended it', () => {
  const failing = (text: string) => ({
    ...cell('fail()', 'error', 1, 1),
    outputs: [{ output_type: 'error', traceback: [text] }],
  });
  expect(tracebackOf({ cells: [failing('first'), failing('last')] })).toBe('last');
});

test('the traceback is that of the cell that failed, with its colours', () => {
  expect(tracebackOf(NOTEBOOK)).toBe('\x1b[31mValueError\x1b[0m\nno');
  expect(tracebackOf({ cells: [] })).toBeNull();
  expect(traceOf({ output_type: 'error', ename: 'ValueError', evalue: ' ' })).toBe('ValueError');
});

test('an error without a name is a text, or the status of a shell', () => {
  expect(traceOf({ output_type: 'error', ename: '', evalue: '3', traceback: [] })).toBe('exit status 3');
  expect(traceOf({ output_type: 'error', ename: ' ', evalue: 'no' })).toBe('no');
});

test('the notebook is read when the cells are opened, and once per cell that is reached', async () => {
  const get = vi.fn(() => Promise.resolve(NOTEBOOK));
  const view = new CellsView({ get } as unknown as Transport);
  const run = { id: 'r', state: 'RUNNING', progress: { cell: 2, cells: 5, fraction: 0.2, text: '' } } as RunHandle;
  view.accept(run);
  expect(get).not.toHaveBeenCalled();

  view.element.open = true;
  view.element.dispatchEvent(new Event('toggle'));
  view.accept(run);
  await vi.waitFor(() => expect(view.element.querySelectorAll('tbody tr')).toHaveLength(4));
  expect(get).toHaveBeenCalledTimes(1);

  view.accept({ ...run, state: 'ERROR' });
  await vi.waitFor(() => expect(get).toHaveBeenCalledTimes(2), 3000);
  view.close();
});

test('a log keeps the lines that are drawn, drops the oldest, and shows those that are searched for', async () => {
  const view = new LogView({} as Transport, 'r');
  const output = view.element.querySelector('pre') as HTMLElement;
  view.append('first\n\x1b[31mred');
  await frame();
  const first = output.children[0];
  view.append(' and more\nthird');
  await frame();
  expect([...output.children].map((line) => line.textContent)).toEqual(['first\n', 'red and more\n', 'third\n']);
  expect(output.children[0]).toBe(first);
  expect(output.children[1]?.querySelector('span')?.style.color).toBe('var(--rw-ansi-1)');

  const search = view.element.querySelector('input[type=search]') as HTMLInputElement;
  search.value = 'RED';
  search.dispatchEvent(new Event('input'));
  expect([...output.children].map((line) => (line as HTMLElement).hidden)).toEqual([true, false, true]);
  expect(view.element.textContent).toContain('1 of 3 lines');
  search.value = '';

  view.append(Array.from({ length: 2500 }, (_, at) => `\nline ${at}`).join(''));
  await frame();
  expect(output.children).toHaveLength(2000);
  expect(output.children[1999]?.textContent).toBe('line 2499\n');
  expect(view.element.textContent).toContain('showing the last 2,000 lines');
  view.close();
});

test('every message of a failed run is shown, and only that of a cell has a traceback', () => {
  const box = failureBox({} as Transport);
  const run = (reason: string, messages: string[]): RunHandle =>
    ({ id: 'r', state: 'ERROR', reason, messages }) as RunHandle;

  box.draw(run('cell_error', ['cell 2 raised', 'Traceback …', 'big.bin: this input was changed']));
  expect([...box.element.childNodes].map((each) => each.textContent)).toEqual([
    'cell 2 raised',
    'big.bin: this input was changed',
    'TracebackTraceback …',
  ]);

  box.draw(run('input_changed', ['a.bin: changed', 'b.bin: changed']));
  expect(box.element.querySelector('details')).toBeNull();
  expect(box.element.textContent).toBe('a.bin: changedb.bin: changed');
});

test('warnings are a list of sentences, and hidden where there are none', () => {
  const list = warningList();
  list.show(['rate: cell 3 assigns it again <b>']);
  expect([list.element.hidden, list.element.querySelector('li')?.textContent]).toEqual([
    false,
    'rate: cell 3 assigns it again <b>',
  ]);
  list.show([]);
  expect(list.element.hidden).toBe(true);
});
