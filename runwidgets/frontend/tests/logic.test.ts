import { expect, test } from 'vitest';
import { parseTable } from '../src/model/files/csv';
import { bytes, clock, took, value } from '../src/model/format';
import { pauseAfter } from '../src/model/retry';
import { applyEvent, isOlder } from '../src/model/runs/live-run';
import { addText } from '../src/model/runs/log-lines';
import type { Follower } from '../src/model/transport';
import type { Progress, RunEvent, RunHandle } from '../src/model/types';
import { findBase, readCookie, toError } from '../src/transport/rest-transport';
import { isSame } from '../src/views/fields/control';
import { shareOf, stageOf } from '../src/views/run/run-view';

const RUN: RunHandle = {
  id: 'r',
  state: 'RUNNING',
  createdAt: '',
  workflowId: 'w',
  groupId: 'g',
  arguments: [],
  parameters: [],
  metrics: {},
  notebook: 'n.ipynb',
};
const PROGRESS: Progress = { cell: 2, cells: 4, fraction: 0.25, text: '', source: 'fit()', heartbeatAt: '' };
const event = (told: Pick<RunEvent, 'kind' | 'data'>): RunEvent =>
  ({ seq: 1, runId: 'r', groupId: 'g', at: '', ...told }) as RunEvent;

test('printed text is joined to lines, also in pieces, and a carriage return goes back', () => {
  const lines: string[] = [];
  for (const piece of ['one', ' more\ntwo\n', '10 %\r', '20 %\r', '\x1b[31mred\x1b[0m\n', 'end']) addText(lines, piece);

  expect(lines).toEqual(['one more', 'two', '\x1b[31mred\x1b[0m', 'end']);
});

test('separated values keep quotes, line ends and separators inside quotes', () => {
  const text = 'a,b\n"x, ""y""\nz",2\r\n3,\n';

  expect(parseTable(text, ',', 100).rows).toEqual([
    ['a', 'b'],
    ['x, "y"\nz', '2'],
    ['3', ''],
  ]);
  expect(parseTable(text, ',', 1)).toEqual({ rows: [['a', 'b']], isWhole: false });
});

test('numbers are shown as people read them', () => {
  expect([bytes(999), bytes(1500), bytes(44_700_000)]).toEqual(['999 B', '1.5 kB', '44.7 MB']);
  expect([clock(7.9), clock(187), clock(3723)]).toEqual(['7 s', '3:07', '1:02:03']);
  expect([took(0.04), took(7.94), took(12.7), took(187)]).toEqual(['0.0 s', '7.9 s', '12 s', '3:07']);
  expect([value(0.98148148), value(1234567), value('NaN'), value([1])]).toEqual([
    '0.981481',
    '1,234,567',
    'NaN',
    '[1]',
  ]);
});

test('events change the handle, and only a success must be asked for again', () => {
  const run = { ...RUN };

  expect(applyEvent(run, event({ kind: 'metric', data: { name: 'loss', value: 1 } }))).toBe(false);
  expect(applyEvent(run, event({ kind: 'progress', data: PROGRESS }))).toBe(false);
  expect(applyEvent(run, event({ kind: 'state', data: { state: 'SUCCESS', finishedAt: 'then' } }))).toBe(true);
  expect(run).toMatchObject({ metrics: { loss: 1 }, state: 'SUCCESS', finishedAt: 'then' });
});

test('a late answer does not take a run back to an earlier state', () => {
  const pending: RunHandle = { ...RUN, state: 'PENDING' };
  const ended: RunHandle = { ...RUN, state: 'ERROR' };

  expect([isOlder(pending, RUN), isOlder(RUN, ended), isOlder(pending, ended)]).toEqual([true, true, true]);
  expect([isOlder(RUN, RUN), isOlder(RUN, pending), isOlder(ended, { ...RUN, state: 'SUCCESS' })]).toEqual([
    false,
    false,
    false,
  ]);
});

test('a run says where it is', () => {
  const progress = PROGRESS;

  expect(stageOf({ ...RUN, state: 'PENDING' })).toBe('waiting for a free slot');
  expect(stageOf(RUN)).toBe('starting the kernel');
  expect(stageOf({ ...RUN, progress })).toBe('cell 2 of 4: fit()');
  expect(stageOf({ ...RUN, progress: { ...progress, text: 'half way' } })).toBe('cell 2 of 4: half way');
  expect([shareOf(RUN), shareOf({ ...RUN, progress }), shareOf({ ...RUN, state: 'SUCCESS' })]).toEqual([null, 0.25, 1]);
});

test('pauses grow up to a bound', () => {
  expect([1, 2, 3, 20].map(pauseAfter)).toEqual([500, 1000, 2000, 15_000]);
});

test('the routes are found from the page, and there are none without a Jupyter server', () => {
  document.body.innerHTML =
    '<script id="jupyter-config-data" type="application/json">{"baseUrl": "/user/ann/"}</script>';

  expect(findBase(document)).toBe('/user/ann/runwidgets/api/');
  document.body.innerHTML = '';
  expect(findBase(document)).toBe(null);
  expect(readCookie('a=1; _xsrf=2|x=y; b=3', '_xsrf')).toBe('2|x=y');
});

test('a refusal keeps its sentence and what is at fault', () => {
  const body =
    '{"message": "x: it is wrong", "error": "InvalidArgumentError", "subject": "x", "problem": "it is wrong"}';

  expect(toError(400, body)).toMatchObject({ message: 'x: it is wrong', status: 400, subject: 'x' });
  expect(toError(502, '<html>').message).toBe('the server answered 502');
});

test('typed text that is the default is no change', () => {
  expect(isSame('100', 100)).toBe(true);
  expect(isSame(['1', '2'], [1, 2])).toBe(true);
  expect(isSame('100.0', 100)).toBe(false);
});

test('views of one page share one stream, and the last to leave closes it', async () => {
  const opened: FakeSource[] = [];
  class FakeSource extends EventTarget {
    isOpen = true;
    onerror: (() => void) | null = null;
    constructor(readonly url: string) {
      super();
      opened.push(this);
    }
    close(): void {
      this.isOpen = false;
    }
    say(name: string, data: unknown): void {
      this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
    }
  }
  Object.assign(globalThis, { EventSource: FakeSource });
  const { joinStream } = await import('../src/transport/event-stream');
  const heard: string[] = [];
  const follower = (name: string): Follower => ({
    connected: () => heard.push(`${name} connected`),
    connection: () => undefined,
    event: (each) => heard.push(`${name} ${each.kind}`),
  });

  const leaveA = joinStream('/events', { run: 'a' }, follower('A'));
  const leaveB = joinStream('/events', { run: 'b' }, follower('B'));
  opened[0]?.say('hello', { seq: 4 });
  opened[0]?.say('run', { ...event({ kind: 'log', data: { size: 1 } }), seq: 4, runId: 'a' });
  opened[0]?.say('run', { ...event({ kind: 'log', data: { size: 1 } }), seq: 5, runId: 'a' });
  leaveA();
  leaveB();

  expect(opened.map((each) => [each.url, each.isOpen])).toEqual([['/events', false]]);
  expect(heard).toEqual(['A connected', 'B connected', 'A log']);
});
