import { afterEach, expect, test, vi } from 'vitest';
import { ApiError } from '../src/model/transport';
import { findBase, RestTransport, readCookie, toError } from '../src/transport/rest-transport';

afterEach(() => vi.unstubAllGlobals());

test('the routes are found from the page, and there are none without a Jupyter server', () => {
  document.body.innerHTML =
    '<script id="jupyter-config-data" type="application/json">{"baseUrl": "/user/ann/"}</script>';

  expect(findBase(document)).toBe('/user/ann/runwidgets/api/');
  document.body.innerHTML = '';
  expect(findBase(document)).toBe(null);
  expect(readCookie('a=1; _xsrf=2|x=y; b=3', '_xsrf')).toBe('2|x=y');
});

test('an error keeps its message and the thing at fault', () => {
  const body =
    '{"message": "x: it is wrong", "error": "InvalidArgumentError", "subject": "x", "problem": "it is wrong"}';

  expect(toError(400, body)).toMatchObject({ message: 'x: it is wrong', status: 400, subject: 'x' });
  expect(toError(502, '<html>').message).toBe('the server answered 502');
});

/** A page with a cookie jar and a server that wants the token which its GET gave. */
function page(cookie: string, given = 'right'): { asked: string[] } {
  const asked: string[] = [];
  const document = { cookie };
  vi.stubGlobal('document', document);
  vi.stubGlobal('fetch', (url: string, init: { method: string; headers: Record<string, string> }) => {
    asked.push(`${init.method} ${url}`);
    const isRight = init.headers['X-XSRFToken'] === 'right';
    if (init.method === 'GET') document.cookie = `_xsrf=${given}`;
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

test('a refusal that another token would not change is not tried again', async () => {
  const { asked } = page('_xsrf=mine', 'mine');

  await expect(new RestTransport('/api/').send('DELETE', 'runs/r')).rejects.toThrow(ApiError);

  expect(asked).toEqual(['DELETE /api/runs/r', 'GET /api/']);
});
