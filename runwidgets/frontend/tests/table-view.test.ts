import { describe, expect, it, vi } from 'vitest';
import {
  chosenColumns,
  columnsOf,
  compare,
  moved,
  parseOrder,
  runsToCsv,
  sorted,
  usualColumns,
} from '../src/model/runs/run-columns';
import { parseFilter } from '../src/model/runs/run-filter';
import { applyToRow, inSight, type RunRow, toRows } from '../src/model/runs/run-rows';
import { ApiError, type Transport } from '../src/model/transport';
import type { JsonValue, RunEvent } from '../src/model/types';
import { askingButton } from '../src/views/question';
import { forEach, typedFor } from '../src/views/table/bulk-actions';
import { drawCell, isNumeric } from '../src/views/table/cells';
import { tableView } from '../src/views/table/table-view';
import { type Context, innerModel } from '../src/views/view';

const COLUMNS = ['id', 'state', 'createdAt', 'startedAt', 'finishedAt', 'arguments', 'metrics', 'message'];

function row(
  id: string,
  given: { [name: string]: JsonValue },
  metrics: { [name: string]: JsonValue } = {},
  state = 'SUCCESS',
): RunRow {
  const times = ['2026-01-01T00:00:00+00:00', '2026-01-01T00:00:01+00:00', '2026-01-01T00:00:03+00:00'];
  return toRows({ columns: COLUMNS, rows: [[id, state, ...times, given, metrics, null]] })[0] as RunRow;
}

const ROWS = [
  row('c', { lr: 0.1, model: 'tree' }, { loss: 3 }),
  row('b', { lr: 0.01, model: 'tree' }, {}, 'ERROR'),
  row('a', { lr: 0.001, model: 'tree' }, { loss: 20 }),
];
const ids = (rows: RunRow[]): string => rows.map((each) => each.id).join('');

describe('columns', () => {
  it('are those that differ between runs, and every metric', () => {
    const all = columnsOf(ROWS);
    expect(all.map((each) => each.key)).toEqual([
      'state',
      'started',
      'duration',
      'argument:lr',
      'argument:model',
      'metric:loss',
      'message',
    ]);
    expect(usualColumns(ROWS, all).map((each) => each.key)).toEqual([
      'state',
      'started',
      'duration',
      'argument:lr',
      'metric:loss',
    ]);
  });
});

describe('chosen columns', () => {
  it('are in the chosen order, without those that do not exist', () => {
    const keys = ['metric:loss', 'metric:to_come', 'state'];
    expect(chosenColumns(columnsOf(ROWS), keys).map((each) => each.key)).toEqual(['metric:loss', 'state']);
  });
  it('are moved to the position of another, and no further than the ends', () => {
    expect(moved(['a', 'b', 'c'], 'c', 0)).toEqual(['c', 'a', 'b']);
    expect(moved(['a', 'b', 'c'], 'a', 1)).toEqual(['b', 'a', 'c']);
    expect(moved(['a', 'b', 'c'], 'a', -1)).toEqual(['a', 'b', 'c']);
    expect(moved(['a', 'b', 'c'], 'c', 3)).toEqual(['a', 'b', 'c']);
  });
  it('are sorted by one of them, whatever is in its name', () => {
    expect(parseOrder('metric:a:asc:desc')).toEqual({ key: 'metric:a:asc', isDescending: true });
    expect(parseOrder('argument:lr:asc')).toEqual({ key: 'argument:lr', isDescending: false });
    expect([parseOrder(''), parseOrder('metric:loss')]).toEqual([null, null]);
  });
});

describe('cells', () => {
  const column = (key: string) => columnsOf(ROWS).find((each) => each.key === key) as ReturnType<typeof columnsOf>[0];
  it('are empty before the run starts', () => {
    const waiting = { ...row('w', {}), startedAt: null };
    expect(drawCell(waiting, column('started'), false).textContent).toBe('–');
  });
  it('are right-aligned if all of a column are numbers', () => {
    expect(['argument:lr', 'argument:model', 'metric:loss'].map((key) => isNumeric(ROWS, column(key)))).toEqual([
      true,
      false,
      true,
    ]);
    expect(isNumeric([], column('metric:loss'))).toBe(false);
  });
  it('show what would change the direction of the text around it', () => {
    expect(drawCell(row('x', { model: '\u202egnp.exe' }), column('argument:model'), false).textContent).toBe(
      '⟨U+202E⟩gnp.exe',
    );
  });
});

describe('bulk actions', () => {
  it('are applied to every run, and return the errors', async () => {
    const done: number[] = [];
    const refused = await forEach([...Array(20).keys()], async (each) => {
      if (each % 7 === 3) throw new ApiError(`no ${each}`, 409, 'X');
      done.push(each);
    });
    expect([done.length, refused]).toEqual([17, ['no 3', 'no 10', 'no 17']]);
  });
  it('are confirmed by typing the number from fifty on', () => {
    expect(typedFor(50)).toBeUndefined();
    expect(typedFor(51)).toEqual({ text: '51', label: 'Type 51 to confirm' });
    let acts = 0;
    const place = askingButton(
      { label: 'Delete', ask: () => 'Delete?', yes: 'Yes', busy: '…', no: 'No', typed: typedFor(51) },
      async () => {
        acts += 1;
      },
    );
    place.querySelector('button')?.click();
    const entry = place.querySelector('input') as HTMLInputElement;
    const enter = (text: string): void => {
      entry.value = text;
      entry.dispatchEvent(new Event('input'));
      entry.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    };
    enter('5');
    expect([acts, [...place.querySelectorAll('button')].map((each) => each.disabled)]).toEqual([0, [true, false]]);
    enter('51');
    expect(acts).toBe(1);
  });
});

describe('sorting', () => {
  const all = columnsOf(ROWS);
  it('compares numbers as numbers and puts NaN and missing values last in both directions', () => {
    expect(ids(sorted(ROWS, all, { key: 'metric:loss', isDescending: false }))).toBe('cab');
    expect(ids(sorted(ROWS, all, { key: 'metric:loss', isDescending: true }))).toBe('acb');
  });
  it('keeps the order of equal rows, and of all rows without a sort order', () => {
    expect(ids(sorted(ROWS, all, { key: 'argument:model', isDescending: true }))).toBe('cba');
    expect(ids(sorted(ROWS, all, null))).toBe('cba');
  });
  it('takes typed numbers for numbers', () => {
    expect(compare('9', '10', false)).toBeLessThan(0);
    const values = [null, 'NaN', 1, 'Infinity', -2, 'NaN', '-Infinity', 'Infinity'];
    const sortedBy = (isDescending: boolean): unknown[] =>
      [...values].sort((one, other) => compare(one, other, isDescending));
    expect(sortedBy(false)).toEqual(['-Infinity', -2, 1, 'Infinity', 'Infinity', 'NaN', 'NaN', null]);
    expect(sortedBy(true)).toEqual(['Infinity', 'Infinity', 1, -2, '-Infinity', 'NaN', 'NaN', null]);
    expect(compare('b', 'a', false)).toBeGreaterThan(0);
  });
});

describe('the filter', () => {
  const found = (line: string): string => ids(ROWS.filter(parseFilter(line)));
  it('takes states by the words that are shown, relations, and words anywhere', () => {
    expect(found('state:failed')).toBe('b');
    expect(found('state!=failed')).toBe('ca');
    expect(found('lr>0.005')).toBe('cb');
    expect(found('lr<=0.01 loss>=1')).toBe('a');
    expect(found('model=tree lr=1e-3')).toBe('a');
    expect(found('TREE')).toBe('cba');
    expect(found('loss!=3')).toBe('ba');
    expect(found('forest')).toBe('');
    expect(found('')).toBe('cba');
  });
  it('sees a row as it is now', () => {
    const one = row('x', {}, {}, 'RUNNING');
    expect(parseFilter('half')(one)).toBe(false);
    applyToRow(one, { kind: 'metric', data: { name: 'half', value: 1 } } as unknown as RunEvent);
    expect(parseFilter('half')(one)).toBe(true);
  });
});

describe('events', () => {
  it('change the state with what came with it', () => {
    const one = row('x', {}, {}, 'RUNNING');
    const data = { state: 'ERROR', finishedAt: '2026-01-01T00:00:09+00:00', messages: ['why', 'traceback'] };
    expect(applyToRow(one, { kind: 'state', data } as unknown as RunEvent)).toBe(true);
    expect([one.state, one.message, one.finishedAt]).toEqual(['ERROR', 'why', data.finishedAt]);
    expect(applyToRow(one, { kind: 'log', data: { size: 3 } } as unknown as RunEvent)).toBe(false);
  });
});

describe('visible rows', () => {
  it('are a window with a margin, never beyond the ends', () => {
    expect(inSight(0, 280, 28, 10_000)).toEqual([0, 18]);
    expect(inSight(2800, 280, 28, 10_000)).toEqual([92, 118]);
    expect(inSight(99_999_999, 280, 28, 50)).toEqual([49, 50]);
    expect(inSight(0, 280, 28, 0)).toEqual([0, 0]);
  });
});

describe('CSV', () => {
  it('quotes what needs it', () => {
    const strange = row('x', { note: 'a "b", c' });
    expect(
      runsToCsv(
        [strange],
        columnsOf([strange]).filter((each) => each.group === 'argument'),
      ),
    ).toBe('id,note\r\nx,"a ""b"", c"\r\n');
  });
});

describe('a table', () => {
  it('says that its group was deleted, and shows no rows', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let isGone = false;
    const transport = {
      follow: () => () => undefined,
      get: async (path: string) => {
        if (isGone) throw new ApiError('there is no such group', 404, 'UnknownWorkflowGroupError');
        return path.includes('/table')
          ? { columns: COLUMNS, rows: [['a', 'SUCCESS', '', null, null, {}, {}, null]] }
          : {};
      },
    } as unknown as Transport;
    const root = document.createElement('div');
    const close = tableView(root, { transport, model: innerModel({ group_id: 'g' }), inner: {} } as Context);
    await vi.advanceTimersByTimeAsync(0);
    expect(root.querySelectorAll('tr[data-run]')).toHaveLength(1);

    isGone = true;
    await vi.advanceTimersByTimeAsync(10_000);

    expect(root.querySelectorAll('tr[data-run]')).toHaveLength(0);
    expect(root.querySelector('.rw-empty')?.textContent).toBe('This group of runs was deleted.');
    close?.();
    vi.useRealTimers();
  });
});
