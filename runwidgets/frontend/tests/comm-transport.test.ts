import { afterEach, expect, test, vi } from 'vitest';
import { findRoutes } from '../src/hosts/anywidget/find-routes';
import { serveKernelFiles } from '../src/hosts/anywidget/kernel-files';
import type { Connection } from '../src/model/transport';
import type { JsonValue, RunEvent } from '../src/model/types';
import { type Channel, CommTransport, type MessageListener } from '../src/transport/comm-transport';

type Asked = { kind: string; id: string; [name: string]: JsonValue };

/** A widget whose kernel is played by the test. */
class Kernel implements Channel {
  readonly asked: Asked[] = [];
  readonly came: ArrayBuffer[][] = [];
  private readonly listeners = new Set<MessageListener>();
  answer: (asked: Asked) => void = () => undefined;

  send(content: JsonValue, _: unknown, buffers: ArrayBuffer[] = []): void {
    const asked = (content as { runwidgets: Asked }).runwidgets;
    this.asked.push(asked);
    this.came.push(buffers);
    this.answer(asked);
  }
  on(_: string, heard: MessageListener): void {
    this.listeners.add(heard);
  }
  off(_: string, heard: MessageListener): void {
    this.listeners.delete(heard);
  }

  say(message: { [name: string]: JsonValue }, text?: string): void {
    const bytes = new TextEncoder().encode(`__${text ?? ''}`);
    const buffers = text === undefined ? [] : [new DataView(bytes.buffer, 2)];
    for (const heard of this.listeners) heard({ runwidgets: { now: Date.now(), ...message } }, buffers);
  }
  /** Give a whole answer, or a piece of one. */
  give(id: string, text: string, more: { [name: string]: JsonValue } = {}): void {
    this.say({ id, status: 200, at: 0, isLast: true, type: 'text/plain', name: 'a.txt', ...more }, text);
  }
  kinds(): string[] {
    return this.asked.map(({ kind }) => kind);
  }
}

function pair(): { kernel: Kernel; transport: CommTransport } {
  const kernel = new Kernel();
  return { kernel, transport: new CommTransport(kernel) };
}

// This DOM has no such method.
Blob.prototype.arrayBuffer ??= function arrayBuffer(this: Blob): Promise<ArrayBuffer> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as ArrayBuffer);
    reader.readAsArrayBuffer(this);
  });
};

/** A follower that writes down what it is told. */
function listener(): {
  told: string[];
  connected(): void;
  event(event: RunEvent): void;
  connection(connection: Connection): void;
} {
  const told: string[] = [];
  return {
    told,
    connected: () => told.push('connected'),
    event: (event) => told.push(`event ${event.seq}`),
    connection: ({ isLive }) => told.push(isLive ? 'live' : 'lost'),
  };
}

const event = (seq: number, runId = 'r', groupId = 'g'): JsonValue => ({
  seq,
  runId,
  groupId,
  kind: 'log',
  data: {},
  at: '',
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('replies belong to their requests, in whatever order they come', async () => {
  const { kernel, transport } = pair();
  const first = transport.get('runs/a');
  const second = transport.send('POST', 'groups/g/runs', { arguments: [] });
  const third = transport.send('DELETE', 'runs/a');

  expect(kernel.asked[1]).toMatchObject({ kind: 'ask', verb: 'POST', path: 'groups/g/runs', body: '{"arguments":[]}' });
  const [a, b, c] = kernel.asked.map(({ id }) => id) as [string, string, string];
  kernel.give(b, '{"id": "b"}', { status: 201 });
  kernel.give(c, '', { status: 204 });
  kernel.give(a, '{"id": "a"}');

  expect(await Promise.all([first, second, third])).toEqual([{ id: 'a' }, { id: 'b' }, null]);
});

test('an error keeps its status, kind, subject and problem', async () => {
  const { kernel, transport } = pair();
  kernel.answer = ({ id }) =>
    kernel.give(id, '{"message": "x: wrong", "error": "InvalidArgumentError", "subject": "x", "problem": "wrong"}', {
      status: 400,
    });

  await expect(transport.get('runs/a')).rejects.toMatchObject({
    message: 'x: wrong',
    status: 400,
    kind: 'InvalidArgumentError',
    subject: 'x',
    problem: 'wrong',
  });
});

test('a reply in pieces is joined, and one that lost a piece is refused and stopped', async () => {
  const { kernel, transport } = pair();
  const whole = transport.text('runs/a/notebook', 4);
  const id = kernel.asked[0]?.id ?? '';
  kernel.give(id, 'abc', { isLast: false });
  kernel.give(id, 'de', { at: 3 });
  const { bytes, isWhole } = await whole;

  expect([new TextDecoder().decode(bytes), isWhole, kernel.asked[0]?.limit]).toEqual(['abcd', false, 4]);

  const lost = transport.text('runs/a/notebook', 9);
  kernel.give(kernel.asked[1]?.id ?? '', 'de', { at: 3 });
  await expect(lost).rejects.toThrow('a part of the answer was lost');
  expect(kernel.kinds()).toEqual(['ask', 'ask', 'stop']);
});

test('a file goes in pieces, each after the one before was acknowledged', async () => {
  const { kernel, transport } = pair();
  const told: number[] = [];
  const file = new File([new Uint8Array(2_500_000)], 'big.bin');
  kernel.answer = ({ id, at, isLast }) => {
    if (isLast) kernel.give(id, '{"id": "f"}', { status: 201 });
    else setTimeout(() => kernel.say({ id, got: Number(at) + 1_000_000 }));
  };

  const stored = await transport.upload(
    'uploads/g/files',
    file,
    (part) => told.push(part),
    new AbortController().signal,
  );

  expect(stored).toEqual({ id: 'f' });
  expect(told).toEqual([0.4, 0.8, 1]);
  expect(kernel.asked.map(({ at, isLast }) => [at, isLast])).toEqual([
    [0, false],
    [1_000_000, false],
    [2_000_000, true],
  ]);
  expect(kernel.came.map(([piece]) => piece?.byteLength)).toEqual([1_000_000, 1_000_000, 500_000]);
});

test('an empty file is sent too; a stopped or refused one is sent no further', async () => {
  const { kernel, transport } = pair();
  kernel.answer = ({ id }) => kernel.give(id, '{}', { status: 201 });
  await transport.upload('p', new File([], 'empty'), () => undefined, new AbortController().signal);
  expect(kernel.asked).toMatchObject([{ kind: 'piece', at: 0, isLast: true }]);

  kernel.answer = () => undefined;
  const stopping = new AbortController();
  const file = new File([new Uint8Array(2_500_000)], 'big.bin');
  const stopped = transport.upload('p', file, () => undefined, stopping.signal);
  await vi.waitFor(() => expect(kernel.asked).toHaveLength(2));
  stopping.abort();
  await expect(stopped).rejects.toMatchObject({ kind: 'Aborted' });
  expect(kernel.kinds()).toEqual(['piece', 'piece', 'stop']);

  kernel.answer = ({ id }) =>
    kernel.give(id, '{"message": "too large", "error": "FileTooLargeError"}', { status: 413 });
  const refused = transport.upload('p', file, () => undefined, new AbortController().signal);
  await expect(refused).rejects.toMatchObject({ kind: 'FileTooLargeError' });
  expect(kernel.kinds()).toHaveLength(4);
});

test('each follower receives the events of its query, and the kernel knows which are wanted', async () => {
  const { kernel, transport } = pair();
  kernel.answer = ({ id, kind }) => kind === 'watch' && kernel.give(id, '{}');
  const [one, all] = [listener(), listener()];
  const leave = transport.follow({ run: 'r' }, one);
  const leaveToo = transport.follow({ group: 'g' }, all);
  await vi.waitFor(() => expect(all.told).toEqual(['live', 'connected']));

  kernel.say({ events: [event(1), event(2, 'other')], count: 1 });
  expect([one.told.slice(2), all.told.slice(2)]).toEqual([['event 1'], ['event 1', 'event 2']]);

  leave();
  kernel.say({ events: [event(3)], count: 2 });
  leaveToo();
  expect(one.told).toHaveLength(3);
  expect(all.told.at(-1)).toBe('event 3');
  expect(kernel.asked.map(({ keys }) => keys)).toEqual([['r'], ['r', 'g'], ['g'], []]);
});

test('after a lost message, followers fetch again', async () => {
  const { kernel, transport } = pair();
  kernel.answer = ({ id, kind }) => kind === 'watch' && kernel.give(id, '{}');
  const one = listener();
  transport.follow({ run: 'r' }, one);
  await vi.waitFor(() => expect(one.told).toEqual(['live', 'connected']));

  kernel.say({ events: [event(1)], count: 1 });
  kernel.say({ events: [], count: 3 });

  expect(one.told.slice(2)).toEqual(['event 1', 'connected']);
});

test('a silent kernel counts as away until it sends a message', async () => {
  vi.useFakeTimers();
  const { kernel, transport } = pair();
  kernel.answer = ({ id, kind }) => kind === 'watch' && kernel.give(id, '{}');
  const one = listener();
  transport.follow({ run: 'r' }, one);
  await vi.advanceTimersByTimeAsync(44_000);
  kernel.say({ events: [], count: 1 });
  await vi.advanceTimersByTimeAsync(44_000);
  expect(one.told).toEqual(['live', 'connected']);

  await vi.advanceTimersByTimeAsync(2000);
  kernel.say({ events: [], count: 2 });

  expect(one.told.slice(2)).toEqual(['lost', 'live', 'connected']);
  transport.close();
  expect(vi.getTimerCount()).toBe(0);
});

test('a view that is closed stops its requests, and receives nothing more', async () => {
  const { kernel, transport } = pair();
  const asking = transport.get('runs/a');
  transport.close();

  await expect(asking).rejects.toMatchObject({ kind: 'Aborted' });
  expect(kernel.asked.slice(1)).toMatchObject([
    { kind: 'stop', id: kernel.asked[0]?.id },
    { kind: 'watch', keys: [] },
  ]);
});

test('a picture is loaded through the kernel; the view learns only of errors', async () => {
  const { kernel, transport } = pair();
  vi.stubGlobal('URL', Object.assign(URL, { createObjectURL: () => 'blob:made', revokeObjectURL: () => undefined }));
  const [root, image, broken] = [document.createElement('div'), document.createElement('img'), vi.fn()];
  image.addEventListener('error', broken);
  image.src = transport.url('runs/a/downloads/files/1');
  root.append(image);
  const free = serveKernelFiles(root, transport, () => undefined);

  image.dispatchEvent(new Event('error'));
  expect(kernel.asked[0]).toMatchObject({ verb: 'GET', path: 'runs/a/downloads/files/1' });
  kernel.give(kernel.asked[0]?.id ?? '', 'png', { type: 'image/png' });
  await vi.waitFor(() => expect(image.src).toBe('blob:made'));
  expect(broken).not.toHaveBeenCalled();

  image.src = transport.url('runs/a/downloads/files/2');
  image.dispatchEvent(new Event('error'));
  kernel.give(kernel.asked[1]?.id ?? '', '{"message": "gone", "error": "UnknownFileError"}', { status: 404 });
  await vi.waitFor(() => expect(broken).toHaveBeenCalledOnce());
  free();
});

test('a server is asked once where it stores runs; an error is not remembered', async () => {
  const asked = vi.fn();
  document.body.innerHTML = '<script id="jupyter-config-data" type="application/json">{"baseUrl": "/a/"}</script>';
  vi.stubGlobal('fetch', async () => {
    asked();
    if (asked.mock.calls.length === 1) throw new TypeError('away');
    return Response.json({ store: 'here' });
  });
  for (let time = 0; time < 3; time += 1) expect(await findRoutes(document, 'here')).toBe('/a/runwidgets/api/');
  expect(await findRoutes(document, 'elsewhere')).toBe(null);
  expect(asked).toHaveBeenCalledTimes(2);
});

test.each([
  ['no routes', () => new Response('<html>', { status: 404 })],
  ['a page that wants a password', () => new Response('<html>', { status: 403 })],
  ['a page for people', () => new Response('<html>')],
  ['other routes', () => Response.json({})],
])('a page whose server responds with %s uses the kernel', async (what, answer) => {
  const base = what.replace(/ /g, '-');
  document.body.innerHTML = `<script id="jupyter-config-data" type="application/json">{"baseUrl": "/${base}/"}</script>`;
  vi.stubGlobal('fetch', async () => answer());
  expect(await findRoutes(document, 'here')).toBe(null);
});

test('a page without a server uses the kernel', async () => {
  document.body.innerHTML = '';
  expect(await findRoutes(document, 'here')).toBe(null);
});
