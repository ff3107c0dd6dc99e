import { afterEach, describe, expect, type Mock, test, vi } from 'vitest';
import { LiveRun } from '../src/model/runs/live-run';
import { LiveRuns } from '../src/model/runs/live-runs';
import { MetricSeries, nearest, thinned } from '../src/model/runs/metric-series';
import { ApiError, type Follower, type Transport } from '../src/model/transport';
import type { RunEvent, RunHandle } from '../src/model/types';

/** A server whose responses and events come when the test says so. */
class Server {
  follower: Follower | null = null;
  readonly waiting: { path: string; answer: (body: unknown) => void; refuse: (error: ApiError) => void }[] = [];
  readonly transport = {
    follow: (_: unknown, follower: Follower) => {
      this.follower = follower;
      return () => undefined;
    },
    get: (path: string) =>
      new Promise((answer, refuse) => {
        this.waiting.push({ path, answer, refuse });
      }),
  } as unknown as Transport;

  async answer(body: unknown): Promise<void> {
    await vi.waitFor(() => expect(this.waiting.length).toBeGreaterThan(0));
    this.waiting.shift()?.answer(structuredClone(body));
    await Promise.resolve();
  }

  async refuse(status: number): Promise<void> {
    expect(this.waiting.map(({ path }) => path)).toEqual(['groups/g/runs?limit=1']);
    this.waiting.shift()?.refuse(new ApiError('there is no such group', status, 'UnknownWorkflowGroupError'));
    await vi.advanceTimersByTimeAsync(0);
  }

  tell(kind: RunEvent['kind'], data: RunEvent['data'], runId = 'r'): void {
    this.follower?.event({ seq: 1, runId, groupId: 'g', kind, data, at: '' } as RunEvent);
  }
}

const COLUMNS = ['id', 'state', 'createdAt', 'startedAt', 'finishedAt', 'arguments', 'metrics', 'message'];
const row = (id: string, state: string) => [id, state, '', null, null, {}, {}, null];

test('an end that comes before the first response is not lost', async () => {
  const server = new Server();
  const seen: string[] = [];
  const live = new LiveRun(server.transport, 'r', {
    changed: (run) => seen.push(run.state),
    printed: () => undefined,
    connection: () => undefined,
    gone: () => undefined,
    failed: () => undefined,
  });
  server.tell('state', { state: 'SUCCESS' });

  await server.answer({ id: 'r', state: 'RUNNING' } as RunHandle);
  await server.answer({ id: 'r', state: 'SUCCESS' } as RunHandle);

  await vi.waitFor(() => expect(seen).toEqual(['RUNNING', 'SUCCESS']));
  live.close();
});

test('the files of a run are fetched when it has failed, and again when those of a cancelled one are listed', async () => {
  const server = new Server();
  const seen: string[] = [];
  const live = new LiveRun(server.transport, 'r', {
    changed: (run) => seen.push(`${run.state} ${run.partialFiles?.length}`),
    printed: () => undefined,
    connection: () => undefined,
    gone: () => undefined,
    failed: () => undefined,
  });
  await server.answer({ id: 'r', state: 'RUNNING' } as RunHandle);
  await server.answer({ text: '', next: 0, size: 0 });

  server.tell('state', { state: 'CANCELED' });
  await server.answer({ id: 'r', state: 'CANCELED', partialFiles: [], isEnding: true } as unknown as RunHandle);
  await server.answer({ text: '', next: 0, size: 0 });
  server.tell('files', { count: 1 });
  await server.answer({ id: 'r', state: 'CANCELED', partialFiles: [{ id: 'f' }] } as unknown as RunHandle);

  await vi.waitFor(() => expect(seen.at(-1)).toBe('CANCELED 1'));
  expect(seen.slice(0, 3)).toEqual(['RUNNING undefined', 'CANCELED undefined', 'CANCELED 0']);
  live.close();
});

test('what happens to the runs of a table while a response is on its way is not lost', async () => {
  const server = new Server();
  const changed = vi.fn();
  const live = new LiveRuns(
    server.transport,
    { group: 'g' },
    { changed, connection: () => undefined, failed: () => undefined },
  );
  server.tell('state', { state: 'ERROR', messages: ['no'] }, 'a');
  server.tell('deleted', {}, 'b');
  await server.answer({ columns: COLUMNS, rows: [row('b', 'SUCCESS'), row('a', 'RUNNING')] });
  await vi.waitFor(() => expect(live.rows.map((each) => [each.id, each.state])).toEqual([['a', 'ERROR']]));

  server.tell('state', { state: 'PENDING' }, 'c');
  await vi.waitFor(() => expect(server.waiting.length).toBe(1));
  server.tell('state', { state: 'PENDING' }, 'd');
  await server.answer({ columns: COLUMNS, rows: [row('c', 'PENDING'), row('a', 'ERROR')] });
  await server.answer({ columns: COLUMNS, rows: [row('d', 'PENDING'), row('c', 'PENDING'), row('a', 'ERROR')] });

  await vi.waitFor(() => expect(live.rows.map((each) => each.id)).toEqual(['d', 'c', 'a']));
  live.close();
});

test('a series holds what was fetched and what events brought meanwhile, by step', () => {
  const series = new MetricSeries();

  expect(
    series.take({
      name: 'loss',
      value: 0.5,
      attempt: 1,
      points: [
        [2, 0.6],
        [3, 'NaN'],
        [4, 0.5],
      ],
    }),
  ).toBe(true);
  expect(series.take({ name: 'loss', value: 1 })).toBe(false);
  series.read({ series: { loss: { steps: [1, 2], values: [1, 0.7] } } });

  expect([series.names, series.points('loss')]).toEqual([
    ['loss'],
    [
      [1, 1],
      [2, 0.6],
      [4, 0.5],
    ],
  ]);
  series.take({ name: 'loss', value: 9, attempt: 2, points: [[1, 9]] });
  expect(series.points('loss')).toEqual([[1, 9]]);
});

test('many points are drawn as few, with both ends, and the pointer finds the nearest', () => {
  const points = [...Array(1001).keys()].map((at): [number, number] => [at, at * at]);

  expect(thinned(points, 3)).toEqual([
    [0, 0],
    [500, 250_000],
    [1000, 1_000_000],
  ]);
  expect(nearest(points, 12.4)).toEqual([12, 144]);
});

describe('a group that is deleted', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Follow a group with one run, and return what its watcher is told. */
  async function followed(server: Server): Promise<{ live: LiveRuns; gone: Mock; failed: Mock }> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const [gone, failed] = [vi.fn(), vi.fn()];
    const watcher = { changed: () => undefined, connection: () => undefined, failed, gone };
    const live = new LiveRuns(server.transport, { group: 'g' }, watcher);
    await server.answer({ columns: COLUMNS, rows: [row('a', 'SUCCESS')] });
    await vi.advanceTimersByTimeAsync(0);
    expect(live.rows).toHaveLength(1);
    return { live, gone, failed };
  }

  test('with runs in it is noticed although no event says so, and has no runs', async () => {
    const server = new Server();
    const { live, gone, failed } = await followed(server);

    await vi.advanceTimersByTimeAsync(10_000);
    await server.answer({ runs: [] });
    expect(gone).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(10_000);
    await server.refuse(404);

    expect([gone.mock.calls.length, failed.mock.calls.length, live.rows]).toEqual([1, 0, []]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.waiting).toEqual([]);
  });

  test('is asked for at once when its runs are gone', async () => {
    const server = new Server();
    const { gone } = await followed(server);

    server.tell('deleted', {}, 'a');
    await vi.advanceTimersByTimeAsync(250);
    await server.refuse(404);

    expect(gone).toHaveBeenCalledOnce();
  });

  test('is not asked for while the page is hidden, but as soon as it is seen', async () => {
    const server = new Server();
    const { live, gone } = await followed(server);
    const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);

    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.waiting).toEqual([]);
    hidden.mockReturnValue(false);
    document.dispatchEvent(new Event('visibilitychange'));
    await server.refuse(503);

    expect(gone).not.toHaveBeenCalled();
    live.close();
    hidden.mockRestore();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.waiting).toEqual([]);
  });
});
