import { afterEach, expect, test, vi } from 'vitest';
import { LiveWorkflows, matching } from '../src/model/runs/live-workflows';
import { ApiError, type Follower } from '../src/model/transport';
import type { JsonValue, WorkflowDescriptor } from '../src/model/types';
import { isAboutXsrf, RestTransport } from '../src/transport/rest-transport';
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

/** A page with a cookie jar and a server that wants the token which its GET gave. */
function page(cookie: string): { asked: string[] } {
  const asked: string[] = [];
  const document = { cookie };
  vi.stubGlobal('document', document);
  vi.stubGlobal('fetch', (url: string, init: { method: string; headers: Record<string, string> }) => {
    asked.push(`${init.method} ${url}`);
    const isRight = init.headers['X-XSRFToken'] === 'right';
    if (init.method === 'GET') document.cookie = '_xsrf=right';
    const body = init.method === 'GET' || isRight ? '{}' : '{"message": "XSRF cookie does not match POST argument"}';
    return Promise.resolve(new Response(body, { status: init.method === 'GET' || isRight ? 200 : 403 }));
  });
  return { asked };
}

test('a page without an XSRF token is given one before its first change', async () => {
  const { asked } = page('');
  await new RestTransport('/api/').send('POST', 'workflows', {});
  expect(asked).toEqual(['GET /api/', 'POST /api/workflows']);
});

test('a token that the server no longer takes is renewed once', async () => {
  const { asked } = page('_xsrf=old');
  await new RestTransport('/api/').send('DELETE', 'runs/r');
  expect(asked).toEqual(['DELETE /api/runs/r', 'GET /api/', 'DELETE /api/runs/r']);
});

test('another refusal is not tried again', () => {
  expect(isAboutXsrf(403, 'you are no member')).toBe(false);
  expect(isAboutXsrf(400, "'_xsrf' argument missing")).toBe(false);
});

test('many changes of state ask for the list once, and nothing asks after the end', async () => {
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

test('a page whose server has no routes says so, and what a server of ours says is said as it is', async () => {
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

test('a run that is asked for brings its workflow and its group, and choosing another workflow leaves it', async () => {
  const answers: { [path: string]: unknown } = {
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
    path in answers ? Promise.resolve(answers[path]) : Promise.reject(new ApiError('gone', 404, 'Unknown'));
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
  await vi.waitFor(() => expect(root.textContent).toContain('This workflow was deleted meanwhile.'));
  close();
});
