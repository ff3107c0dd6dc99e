import { afterEach, expect, test, vi } from 'vitest';
import { LiveWorkflows, matching } from '../src/model/runs/live-workflows';
import { ApiError, type Follower } from '../src/model/transport';
import type { JsonValue, WorkflowDescriptor } from '../src/model/types';
import { browserView } from '../src/views/browser/browser-view';
import { innerModel } from '../src/views/view';

const LISTED: WorkflowDescriptor[] = [
  { id: 'a', name: 'Classify digits', description: 'Trains a classifier', activeRuns: 0 },
  { id: 'b', name: 'An epidemic', activeRuns: 2 },
];

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('workflows are found by words of their name and description, in any order', () => {
  const found = (line: string): string =>
    matching(LISTED, line)
      .map((each) => each.id)
      .join('');
  expect([found(''), found('TRAINS digits'), found('epi'), found('digits epidemic')]).toEqual(['ab', 'a', 'b', '']);
});

test('many changes of state fetch the list once, and nothing is fetched after the end', async () => {
  vi.useFakeTimers();
  vi.stubGlobal('document', { hidden: false, addEventListener: () => undefined, removeEventListener: () => undefined });
  let follower: Follower | null = null;
  const get = vi.fn(() => Promise.resolve({ workflows: LISTED }));
  const transport = {
    get,
    follow: (_: object, given: Follower) => {
      follower = given;
      return () => undefined;
    },
  };
  const changed = vi.fn();
  const live = new LiveWorkflows(transport as never, { changed, connection: () => undefined, failed: () => undefined });
  await vi.advanceTimersByTimeAsync(0);
  for (let seq = 0; seq < 20; seq += 1) {
    (follower as unknown as Follower).event({
      seq,
      runId: 'r',
      groupId: 'g',
      kind: 'state',
      data: { state: 'RUNNING' },
      at: '',
    });
  }
  await vi.advanceTimersByTimeAsync(1000);
  expect(get).toHaveBeenCalledTimes(2);
  expect(live.list).toEqual(LISTED);
  live.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(get).toHaveBeenCalledTimes(2);
});

test('a page whose server has no routes says so, and errors of a server of ours are shown', async () => {
  const said = async (error: ApiError): Promise<string> => {
    const root = document.createElement('div');
    const transport = { get: () => Promise.reject(error), follow: () => () => undefined };
    const nothing = (): (() => void) => () => undefined;
    const inner = { form: nothing, run: nothing, sweep: nothing, files: nothing, compare: nothing };
    const close = browserView(root, { transport: transport as never, model: innerModel({}), inner });
    await new Promise((resolve) => setTimeout(resolve));
    close();
    return root.querySelector('[role=alert]')?.textContent ?? '';
  };
  expect(await said(new ApiError('the server answered 403', 403, ''))).toContain('does not have the routes');
  expect(await said(new ApiError('you may not', 403, 'UnauthorizedAccessError'))).toBe('you may not');
});

test('a run brings its workflow and its group, and selecting another workflow leaves it', async () => {
  const responses: { [path: string]: unknown } = {
    workflows: { workflows: LISTED },
    'workflows/a': {
      ...LISTED[0],
      parameters: [],
      groups: [
        { id: 'g', name: 'default' },
        { id: 'h', name: 'others' },
      ],
    },
    'workflows/b': { ...LISTED[1], parameters: [], groups: [{ id: 'i', name: 'default' }] },
    'runs/r': { id: 'r', workflowId: 'a', groupId: 'h' },
  };
  const get = (path: string): Promise<unknown> =>
    path in responses ? Promise.resolve(responses[path]) : Promise.reject(new ApiError('gone', 404, 'Unknown'));
  const transport = { get, follow: () => () => undefined };
  const nothing = (): (() => void) => () => undefined;
  const inner = { form: nothing, run: nothing, sweep: nothing, files: nothing, compare: nothing };
  const model = innerModel({ workflow_id: '', group_id: '', run_id: 'r', selected: [] });
  const root = document.createElement('div');
  const close = browserView(root, { transport: transport as never, model, inner });
  const ids = (): JsonValue[] => ['workflow_id', 'group_id', 'run_id'].map((name) => model.get(name));

  await vi.waitFor(() => expect(ids()).toEqual(['a', 'h', 'r']));
  model.set({ workflow_id: 'b' });
  await vi.waitFor(() => expect(ids()).toEqual(['b', 'i', '']));
  model.set({ workflow_id: 'missing' });
  await vi.waitFor(() => expect(root.textContent).toContain('This workflow has been deleted.'));
  close();
});
