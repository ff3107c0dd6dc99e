import { afterEach, expect, test, vi } from 'vitest';
import { isAboutXsrf, RestTransport } from '../src/transport/rest';
import type { Follower } from '../src/transport/transport';
import { type Listed, LiveWorkflows, matching } from '../src/workflows';

const LISTED: Listed[] = [
  { id: 'a', name: 'Classify digits', description: 'Trains a classifier', activeRuns: 0 },
  { id: 'b', name: 'An epidemic', activeRuns: 2 },
];

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('workflows are found by words of their name and description, in any order', () => {
  const found = (line: string): string => matching(LISTED, line).map((each) => each.id).join('');
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
  const transport = { get, follow: (_: object, given: Follower) => { follower = given; return () => undefined; } };
  const changed = vi.fn();
  const live = new LiveWorkflows(transport as never, { changed, connection: () => undefined, failed: () => undefined });
  await vi.advanceTimersByTimeAsync(0);
  for (let seq = 0; seq < 20; seq += 1) {
    (follower as unknown as Follower).event({ seq, runId: 'r', groupId: 'g', kind: 'state', data: {}, at: '' });
  }
  await vi.advanceTimersByTimeAsync(1000);
  expect(get).toHaveBeenCalledTimes(2);
  expect(live.list).toEqual(LISTED);
  live.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(get).toHaveBeenCalledTimes(2);
});
