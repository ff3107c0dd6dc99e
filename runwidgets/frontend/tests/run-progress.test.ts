import { expect, test } from 'vitest';
import { applyEvent, isOlder } from '../src/model/runs/live-run';
import { addText } from '../src/model/runs/log-lines';
import type { Progress, RunEvent, RunHandle } from '../src/model/types';
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
  version: 'v',
};
const PROGRESS: Progress = { cell: 2, cells: 4, fraction: 0.25, text: '', source: 'fit()', heartbeatAt: '' };
const event = (told: Pick<RunEvent, 'kind' | 'data'>): RunEvent =>
  ({ seq: 1, runId: 'r', groupId: 'g', at: '', ...told }) as RunEvent;

test('events change the run handle, which is fetched again only after a success', () => {
  const run = { ...RUN };

  expect(applyEvent(run, event({ kind: 'metric', data: { name: 'loss', value: 1 } }))).toBe(false);
  expect(applyEvent(run, event({ kind: 'progress', data: PROGRESS }))).toBe(false);
  expect(applyEvent(run, event({ kind: 'state', data: { state: 'SUCCESS', finishedAt: 'then' } }))).toBe(true);
  expect(run).toMatchObject({ metrics: { loss: 1 }, state: 'SUCCESS', finishedAt: 'then' });
});

test('a late response does not take a run back to an earlier state', () => {
  const pending: RunHandle = { ...RUN, state: 'PENDING' };
  const ended: RunHandle = { ...RUN, state: 'ERROR' };

  expect([isOlder(pending, RUN), isOlder(RUN, ended), isOlder(pending, ended)]).toEqual([true, true, true]);
  expect([isOlder(RUN, RUN), isOlder(RUN, pending), isOlder(ended, { ...RUN, state: 'SUCCESS' })]).toEqual([
    false,
    false,
    false,
  ]);
});

test('the progress of a run is described', () => {
  const progress = PROGRESS;

  expect(stageOf({ ...RUN, state: 'PENDING' })).toBe('waiting for a free slot');
  expect(stageOf(RUN)).toBe('waiting for the kernel');
  expect(stageOf({ ...RUN, progress })).toBe('cell 2 of 4: fit()');
  expect(stageOf({ ...RUN, progress: { ...progress, text: 'half way' } })).toBe('cell 2 of 4: half way');
  expect(stageOf({ ...RUN, state: 'SUCCESS', progress })).toBe('');
  expect(stageOf({ ...RUN, state: 'SUCCESS', progress: { ...progress, endedEarly: 2 } })).toBe(
    'ended early in cell 2 of 4',
  );
  const remarks = (count: number) => stageOf({ ...RUN, state: 'SUCCESS', progress: { ...progress, errors: count } });
  expect([remarks(1), remarks(3)]).toEqual(['went on after an error in one cell', 'went on after errors in 3 cells']);
  expect([shareOf(RUN), shareOf({ ...RUN, progress }), shareOf({ ...RUN, state: 'SUCCESS' })]).toEqual([null, 0.25, 1]);
});

test('printed text is joined to lines, also in pieces, and a carriage return goes back', () => {
  const lines: string[] = [];
  for (const piece of ['one', ' more\ntwo\n', '10 %\r', '20 %\r', '\x1b[31mred\x1b[0m\n', 'end']) addText(lines, piece);

  expect(lines).toEqual(['one more', 'two', '\x1b[31mred\x1b[0m', 'end']);
});
