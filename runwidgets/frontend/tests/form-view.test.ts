import { expect, test, vi } from 'vitest';
import { defaultsOf } from '../src/model/form/options';
import { combine, logRow, row } from '../src/model/form/parameter-space';
import { asCode } from '../src/model/form/python-code';
import { t } from '../src/model/messages';
import type { Transport } from '../src/model/transport';
import type { JsonValue, ParameterHandle, RunConfig, WorkflowHandle } from '../src/model/types';
import { search } from '../src/views/fields/choices';
import { type FormContext, isSame } from '../src/views/fields/control';
import { Field } from '../src/views/fields/field';
import { lostNumber } from '../src/views/fields/json';
import { contentsPath } from '../src/views/fields/server-files';
import { atPlace, placeOf, sliderOf } from '../src/views/fields/slider';
import { describe } from '../src/views/form/earlier-runs';
import { optionsPanel } from '../src/views/form/options-panel';
import { describeSweep, startButton, usualTime } from '../src/views/form/start-button';

const parameter = (name: string, dtype: string, more = {}): ParameterHandle =>
  ({ name, dtype, isRequired: true, ...more }) as ParameterHandle;
const fieldOf = (of: ParameterHandle): Field => new Field(of, {} as FormContext, () => undefined);
const optional = (name: string, dtype: string, defaultValue: JsonValue, more = {}): ParameterHandle =>
  parameter(name, dtype, { isRequired: false, defaultValue, ...more });

test('copied code starts the same run and holds no secret', () => {
  const code = asCode(
    'a "b".ipynb',
    [
      [parameter('n', 'int'), '+007'],
      [parameter('s', 'string'), 'it\'s "x"\n'],
      [parameter('b', 'bool'), true],
      [parameter('l', 'list', { para: parameter('i', 'float') }), ['1', '02.5']],
      [parameter('day', 'date'), '2024-02-29'],
      [parameter('r', 'record', { fields: [parameter('size', 'int')] }), { size: '07', more: [true, null] }],
      [parameter('p', 'string', { secret: true }), 'hunter2'],
      [parameter('t', 'file'), { type: '$file', value: { fileId: 'f1' } }],
    ],
    { fileName: (id) => (id === 'f1' ? 'ta"ble.csv' : undefined), group: 'g' },
  );

  expect(code.split('\n')).toEqual([
    'rw.run(',
    '    "a \\"b\\".ipynb",',
    '    n=7,',
    '    s="it\'s \\"x\\"\\n",',
    '    b=True,',
    '    l=[1, 2.5],',
    '    day="2024-02-29",',
    '    r={"size": 7, "more": [True, None]},',
    '    t={"type": "$file", "value": {"fileId": "f1"}},  # ta\\"ble.csv',
    '    # p is secret: give it here',
    '    group="g",',
    ')',
  ]);
});

test('a number of an earlier run that a form cannot hold is not sent as a text', () => {
  const [digits, text] = ['9007199254740993', t('inexactNumber', { number: '9007199254740993' })];
  const field = fieldOf(optional('x', 'any', null));
  for (const value of [digits, [1, digits], { a: { b: digits } }]) {
    field.write(value);
    expect(field.problem()).toBe(text);
  }
  for (const value of ['12', 'a 9007199254740993', 9007199254740991]) {
    field.write(value);
    expect(field.problem()).toBeNull();
  }
  field.write(digits);
  const input = field.element.querySelector('textarea') as HTMLTextAreaElement;
  input.value = `"${digits}" `; // now it is a text
  expect([field.problem(), field.read()]).toEqual([null, { isGiven: true, value: digits }]);
  const preset = fieldOf(optional('x', 'any', digits)); // not sent, because it is the default
  expect([preset.problem(), preset.change().isGiven]).toEqual([null, false]);
});

test('copied code reads as it runs, and parameters may have the names of options', () => {
  expect(asCode('n', [[parameter('api', 'string'), 'a\u202eb']])).toBe('rw.run("n", {"api": "a\\u202eb"})');
  expect(asCode('n', [])).toBe('rw.run("n")');
});

test('a slider is there only where both ends are known, and is logarithmic if they are far apart', () => {
  expect(sliderOf(parameter('n', 'int', { range: '[1,)' }))).toBe(null);
  expect(sliderOf(parameter('n', 'int', { range: '(1,9)' }))).toMatchObject({ least: 2, most: 8, isWide: false });
  const plain = sliderOf(parameter('x', 'float', { range: '[0,1]' }));
  const wide = sliderOf(parameter('x', 'float', { range: '[0.00001,1]' }));

  expect(plain && [0, 0.25, 1].map((place) => atPlace(plain, place, false))).toEqual(['0', '0.25', '1']);
  expect(wide && [0, 0.2, 1].map((place) => atPlace(wide, place, false))).toEqual(['0.00001', '0.0001', '1']);
  expect(wide && placeOf(wide, 0.0001)).toBeCloseTo(0.2);
});

test('a number that parsing would change is reported', () => {
  expect(['[1, 2.5, "9007199254740993"]', '{"a": -3}'].map(lostNumber)).toEqual([null, null]);
  expect(['9007199254740993', '[1e999]'].map(lostNumber)).toEqual(['9007199254740993', '1e999']);
});

test('a search lists first what begins with the text', () => {
  expect(search(['maroon', 'Aroma', 'ROMA'], 'rom')).toEqual([2, 1]);
});

test('values are the same whether typed or declared, in records too', () => {
  expect(isSame({ a: '1', b: ['x'] }, { a: 1, b: ['x'] })).toBe(true);
  expect(isSame({ a: '1' }, { a: 1, b: 2 })).toBe(false);
});

test('a number is kept as typed, and an emptied one is not silently the default', () => {
  const field = fieldOf(optional('n', 'int', 5, { range: '[1,9]' }));

  field.write('500');
  expect([field.change(), field.problem()]).toEqual([{ isGiven: true, value: '500' }, 'must be 1 to 9, got 500']);
  field.write('');
  expect(field.problem()).toBe('no value was given');
  field.write('5');
  expect([field.change(), field.isModified]).toEqual([{ isGiven: false }, false]);
});

test('what a picker cannot show is shown as text instead of dropped', () => {
  const field = fieldOf(parameter('at', 'datetime'));

  field.write('2024-01-01T00:00:00+02:00');

  expect(field.read()).toEqual({ isGiven: true, value: '2024-01-01T00:00:00+02:00' });
});

test('an optional record is nothing while it is not touched, and whole as soon as it is', () => {
  const fields = [parameter('size', 'int'), optional('name', 'string', 'a')];
  const field = fieldOf(optional('layer', 'record', null, { fields }));
  expect([field.read(), field.problem()]).toEqual([{ isGiven: false }, null]);

  const [size] = field.element.querySelectorAll('input');
  if (size) size.value = 'x';
  size?.dispatchEvent(new Event('input'));

  expect(field.read()).toEqual({ isGiven: true, value: { size: 'x', name: 'a' } });
  expect(field.problem()).toBe("size: 'x' is not a whole number");
});

test('a list can be emptied, and a record keeps what it has no field for', () => {
  const list = fieldOf(optional('l', 'list', [1], { para: parameter('item', 'int') }));
  list.write([]);
  const record = fieldOf(parameter('r', 'record', { fields: [parameter('a', 'int')] }));
  record.write({ a: 1, b: 2 });

  expect(list.change()).toEqual({ isGiven: true, value: [] });
  expect([record.read(), record.problem()]).toEqual([
    { isGiven: true, value: { a: '1', b: 2 } },
    "there is no field 'b'",
  ]);
});

test('a value that is not one of the choices is reported, not forgotten', () => {
  const values = ['a', 'b'].map((name) => ({ name, value: name }));
  for (const many of [
    values,
    [...values, ...values, ...values].map((each, at) => ({
      ...each,
      name: `${each.name}${at}`,
      value: `${each.name}${at}`,
    })),
  ]) {
    const field = fieldOf(parameter('c', 'select', { values: many }));
    field.write('z');
    expect(field.problem()).toMatch(/^'z' is not one of /);
  }
});

test('a field of numbers says what it takes if nothing else does', () => {
  const help = (of: ParameterHandle): string => fieldOf(of).element.querySelector('.rw-help')?.textContent ?? '';
  expect(help(parameter('a', 'int'))).toBe('whole number');
  expect(help(optional('a', 'float', null))).toBe('number, or nothing');
  expect(help(optional('a', 'int', 3, { help: 'of days' }))).toBe('of days · default 3');
  expect(help(optional('a', 'float', 0.5, { range: '[0,1]' }))).toBe('0 to 1 · default 0.5');
});

test('an unknown type gets a field of JSON text', () => {
  const field = fieldOf(parameter('odd', 'tensor'));
  const [input] = field.element.querySelectorAll('textarea');
  if (input) input.value = '[1,';

  expect(field.problem()).toMatch(/^this is not valid JSON: /);
});

test('hostile texts are text', () => {
  const evil = '<img src=x onerror=alert(1)>';
  const field = fieldOf(
    optional('c', 'select', evil, { label: evil, help: evil, values: [{ name: evil, value: evil }] }),
  );

  expect(field.element.querySelector('img')).toBe(null);
  expect(field.element.textContent).toContain(evil);
});

test('an earlier run is described by what is not its default', () => {
  expect(describe([])).toBe('only defaults');
  expect(
    describe([
      { name: 'a', value: '1' },
      { name: 'f', value: { type: '$file', value: {} } },
    ]),
  ).toBe("a = '1', f = …");
  expect(describe(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name, value: 1 })))).toMatch(/d = 1, and 2 more$/);
});

test('paths of the server are escaped part by part', () => {
  expect(contentsPath('a b/ü#')).toBe('../../api/contents/a%20b/%C3%BC%23?type=directory&content=1');
});

test('numbers of a range are as people write them, and those of a log range as Python has them', () => {
  expect(row(0, 0.3, 0.1)).toEqual([0, 0.1, 0.2, 0.3]);
  expect(row(2, 7, 2)).toEqual([2, 4, 6]);
  expect(logRow(0.001, 10, 5, false)).toEqual([0.001, 0.01, 0.1, 1, 10]);
  expect(logRow(1, 8, 7, true)).toEqual([1, 2, 3, 4, 6, 8]);
});

test('all combinations are made, the last parameter changing fastest', () => {
  const [a, b] = [parameter('a', 'int'), parameter('b', 'bool')];

  const points = combine([
    [a, [1, 2]],
    [b, [true, false]],
  ]).map((point) => point.map(([, value]) => value));

  expect(points).toEqual([
    [1, true],
    [1, false],
    [2, true],
    [2, false],
  ]);
});

test('copied code of a sweep has short ranges, and lists that are one value as one', () => {
  const code = asCode('n.ipynb', [[parameter('sizes', 'list', { para: parameter('i', 'int') }), ['1', '2']]], {
    several: [
      [parameter('depth', 'int'), [2, 4, 6, 8]],
      [parameter('lr', 'float'), ['0.1', '1e-3']],
    ],
  });

  expect(code).toBe('rw.sweep("n.ipynb", sizes=[[1, 2]], depth=range(2, 9, 2), lr=[0.1, 1e-3])');
});

/** Switch a field to several values by its own button. */
function swept(of: ParameterHandle): Field {
  const field = fieldOf(of);
  field.element.querySelector<HTMLElement>('.rw-switch')?.click();
  return field;
}

test('a field of several values begins with the one that it holds, and gives no single one', () => {
  const field = swept(optional('n', 'int', 5, { range: '[1,9]' }));
  expect([field.values(), field.change(), field.isModified]).toEqual([['5'], { isGiven: false }, true]);

  field.writeValues([3, 12]);
  expect([field.values(), field.problem()]).toEqual([['3', '12'], 'item 2: must be 1 to 9, got 12']);
  field.writeValues([]);
  expect(field.problem()).toBe('no value was given; give at least one');
  field.element.querySelector<HTMLElement>('.rw-switch')?.click();
  expect([field.values(), field.problem()]).toEqual([null, null]);
});

test.each([
  ['range', ['1', '9', '4'], [1, 5, 9], null],
  ['log', ['1', '8', '4'], [1, 2, 4, 8], null],
  ['range', ['1', '19', '9'], [1, 10, 19], 'must be 1 to 9, got 10'],
  ['range', ['1', 'x', '4'], [], "to: 'x' is not a whole number"],
  ['range', ['9', '1', '4'], [], 'it goes from 9 to 1; the second must be greater'],
  ['range', ['1', '9', '0'], [], 'the step must be above 0'],
  ['log', ['0', '9', '3'], [], 'a log range must begin above 0'],
  ['log', ['1', '9', '1'], [], 'how many: 2 to 10000'],
])('a %s of numbers from %o is told as it is', (kind, parts, values, problem) => {
  const field = swept(optional('n', 'int', 5, { range: '[1,9]' }));
  const choose = field.element.querySelector('select') as HTMLSelectElement;
  choose.value = kind;
  choose.dispatchEvent(new Event('change'));

  field.element.querySelectorAll<HTMLInputElement>('.rw-part input').forEach((input, at) => {
    input.value = parts[at] ?? '';
    input.dispatchEvent(new Event('input'));
  });

  expect([field.values(), field.problem()]).toEqual([values, problem]);
});

test('choices of several values are ticked', () => {
  const field = swept(optional('side', 'select', 'l', { values: ['l', 'r'].map((value) => ({ name: value, value })) }));
  expect(field.values()).toEqual(['l']);

  field.element.querySelectorAll<HTMLInputElement>('input[type=checkbox]').forEach((box) => {
    box.checked = true;
  });

  expect(field.values()).toEqual(['l', 'r']);
  field.reset();
  expect(field.values()).toBe(null);
});

test('a sweep is described by its number of runs, duplicate values, and how long others took', async () => {
  const of = (name: string, ...values: number[]): [ParameterHandle, number[]] => [
    { name, dtype: 'int', index: 0, isRequired: false },
    values,
  ];
  expect(describeSweep([], null)).toBe('');
  expect(describeSweep([of('a', 1, 2)], null)).toBe('');
  expect(describeSweep([of('a', 1, 2), of('b', 1, 1, 3)], { seconds: 2, n: 4 })).toBe(
    '2 a × 3 b = 6 runs · the same value is given twice: b · about 12 s of work, based on 4 earlier runs',
  );
  expect(describeSweep([of('a', 1), of('b', 1)], { seconds: 2, n: 4 })).toBe('1 a × 1 b = 1 run');

  const row = (state: string, end: string): unknown[] => ['r', state, '', '2026-01-01T00:00:00Z', end, {}, {}, null];
  const columns = ['id', 'state', 'createdAt', 'startedAt', 'finishedAt', 'arguments', 'metrics', 'message'];
  const rows = [
    row('ERROR', '2026-01-01T00:09:00Z'),
    ...['09', '03', '05'].map((end) => row('SUCCESS', `2026-01-01T00:00:${end}Z`)),
  ];
  const asked: string[] = [];
  const transport = {
    get: async (path: string) => {
      asked.push(path);
      return { columns, rows };
    },
  } as unknown as Transport;
  expect(await usualTime(transport, 'g')).toEqual({ seconds: 5, n: 3 });
  const start = startButton(
    'lack',
    () => undefined,
    () => usualTime(transport, 'g'),
  );
  start.tell([of('a', 1, 2)]);
  start.tell([of('a', 1, 2, 3)]);
  await vi.waitFor(() =>
    expect(start.element.textContent).toBe('Start 3 runsabout 15 s of work, based on 3 earlier runs'),
  );
  expect(asked.length).toBe(2);
});

test('typed text that equals the default is not a change', () => {
  expect(isSame('100', 100)).toBe(true);
  expect(isSame(['1', '2'], [1, 2])).toBe(true);
  expect(isSame('100.0', 100)).toBe(false);
});

test('a value with another default can be None, and then its field is not asked', () => {
  const field = fieldOf(optional('n', 'int', 3, { nullable: true }));
  const box = field.element.querySelector<HTMLInputElement>('input[type=checkbox]');

  expect([field.change(), field.problem()]).toEqual([{ isGiven: false }, null]);
  box?.click();
  expect([field.change(), field.problem()]).toEqual([{ isGiven: true, value: null }, null]);
  field.reset();
  expect([box?.checked, field.change()]).toEqual([false, { isGiven: false }]);
  field.write(null);
  expect(field.read()).toEqual({ isGiven: true, value: null });
});

test('a computed value shows its code, and is sent only if it is given', () => {
  const field = fieldOf(
    parameter('t', 'any', { isRequired: false, computed: true, source: '24 * 60 <img src=x onerror=hurt()>' }),
  );

  expect(field.element.textContent).toContain('computed: 24 * 60 <img src=x onerror=hurt()>');
  expect(field.element.querySelector('img')).toBe(null);
  expect([field.change(), field.problem()]).toEqual([{ isGiven: false }, null]);
  field.write({ a: [1, null] });
  expect(field.change()).toEqual({ isGiven: true, value: { a: [1, null] } });
});

test('NaN is shown by its name, in whichever form it comes', () => {
  const field = fieldOf(optional('x', 'float', 'NaN'));

  expect(field.read()).toEqual({ isGiven: true, value: 'NaN' });
  field.write({ type: '$float', value: '-Infinity' });
  expect([field.read(), field.problem()]).toEqual([{ isGiven: true, value: '-Infinity' }, null]);
});

test('copied code has numbers that JSON has no form for, and names that Python has no keywords for', () => {
  const float = parameter('x', 'float');

  expect(asCode('n', [[float, 'NaN']])).toBe('rw.run("n", x=float("NaN"))');
  expect(asCode('n', [[float, '-Infinity']])).toBe('rw.run("n", x=float("-inf"))');
  expect(asCode('n', [[parameter('lambda', 'float'), '1']])).toBe('rw.run("n", {"lambda": 1})');
  expect(asCode('n', [[parameter('n.iter', 'int'), '2']])).toBe('rw.run("n", {"n.iter": 2})');
});

test('options are closed, are sent as what they mean, and keep settings that have no field', () => {
  const changed = vi.fn();
  const panel = optionsPanel(changed);
  panel.build({ timeout: 60, retries: 1 }, { settled: () => undefined } as unknown as FormContext);

  expect((panel.element as HTMLDetailsElement).open).toBe(false);
  expect(panel.read()).toEqual({});
  expect(panel.element.textContent).toContain('default 60');
  const config = {
    timeout: 2.5,
    cwd: 'notebook',
    kernel_name: 'ir',
    skip_tags: ['slow', 'plots'],
    allow_errors: true,
    environment: { A: '1' },
    transport: 'zmq',
  } as RunConfig;
  panel.write(config);
  expect(panel.read()).toEqual(config);
  expect(changed).toHaveBeenCalledTimes(1);
  panel.write({});
  expect(panel.read()).toEqual({});
});

test('a default setting is shown, and can be undone', () => {
  const panel = optionsPanel(() => undefined);
  const defaults = {
    timeout: 60,
    cell_timeout: 5,
    cwd: 'notebook',
    kernel_name: 'ir',
    skip_tags: ['slow'],
    only_tags: ['fast'],
    allow_errors: true,
    environment: { A: '1' },
  } as RunConfig;
  panel.build(defaults, { settled: () => undefined } as unknown as FormContext);
  const fieldOf = (name: string): HTMLElement => panel.find(`config.${name}`)?.element as HTMLElement;

  expect([panel.read(), panel.judge()]).toEqual([{}, []]);
  fieldOf('skip_tags').querySelector<HTMLButtonElement>('.rw-untag')?.click();
  const [none] = [...fieldOf('timeout').querySelectorAll<HTMLInputElement>('input[type=checkbox]')];
  none?.click();
  expect(panel.read()).toEqual({ timeout: null, skip_tags: [] });
  const undone = {
    timeout: null,
    cell_timeout: null,
    cwd: 'run',
    kernel_name: null,
    skip_tags: [],
    only_tags: [],
    allow_errors: false,
    environment: {},
  } as RunConfig;
  panel.write(undone);
  expect([panel.read(), panel.judge()]).toEqual([undone, []]);
  expect(asCode('n', [], { config: { timeout: null } })).toBe('rw.run("n", config={"timeout": None})');
});

test('the defaults of a group take precedence over those of the notebook', () => {
  const groups = [
    { id: 'a', name: 'a' },
    { id: 'b', name: 'b', config: { timeout: 5 } },
  ];
  const workflow = { config: { timeout: 60, retries: 1 }, groups } as unknown as WorkflowHandle;

  expect(defaultsOf(workflow, 'a')).toEqual({ timeout: 60, retries: 1 });
  expect(defaultsOf(workflow, 'b')).toEqual({ timeout: 5, retries: 1 });
});

test('what is wrong with an option opens the section and is shown at its field', () => {
  const panel = optionsPanel(() => undefined);
  panel.build({}, { settled: () => undefined } as unknown as FormContext);
  const details = panel.element as HTMLDetailsElement;
  expect(panel.judge()).toEqual([]);
  expect(details.open).toBe(false);

  panel.write({ timeout: -1 });
  expect(panel.judge().map(([field]) => field.name)).toEqual(['timeout']);
  expect(details.open).toBe(true);
  expect(panel.find('config.retries')?.name).toBe('retries');
  expect([panel.find('retries'), panel.find('config.other')]).toEqual([null, null]);
});

test('a text that its field cannot show is kept until it is edited', () => {
  const line = fieldOf(optional('s', 'string', 'x'));
  const lines = fieldOf(optional('s', 'string', 'x\ny'));
  for (const field of [line, lines]) {
    field.write('a\r\nb');
    expect(field.read()).toEqual({ isGiven: true, value: 'a\r\nb' });
    const input = field.element.querySelector('input, textarea') as HTMLInputElement;
    input.value = 'c';
    expect(field.read()).toEqual({ isGiven: true, value: 'c' });
    field.reset();
    expect(field.change()).toEqual({ isGiven: false });
  }
});

test('copied code has the options that were given', () => {
  const config = { timeout: 60, environment: { A: 'x' } };

  expect(asCode('n', [], { group: 'g', config })).toBe(
    'rw.run("n", group="g", config={"timeout": 60, "environment": {"A": "x"}})',
  );
  expect(asCode('n', [], { config: {} })).toBe('rw.run("n")');
});
