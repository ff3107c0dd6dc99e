// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import { ApiError, type Transport } from '../src/model/transport';
import type { RunHandle } from '../src/model/types';
import { runAgain } from '../src/views/run/run-again';
import type { Context, InnerViews, Model } from '../src/views/view';

const RUN = { id: 'r1', workflowId: 'w', groupId: 'g', version: 'old', arguments: [{ name: 'x', value: 2 }] };

function open(version: string | ApiError, send = vi.fn(() => Promise.resolve({ id: 'r2' }))) {
  const models: Model[] = [];
  const inner = {
    form: (_: HTMLElement, context: Context) => {
      models.push(context.model);
      return () => undefined;
    },
  } as unknown as InnerViews;
  const get = vi.fn(() => (version instanceof ApiError ? Promise.reject(version) : Promise.resolve({ version })));
  const place = document.createElement('div');
  runAgain(place, RUN as unknown as RunHandle, { transport: { get, send } as unknown as Transport, inner } as Context);
  const [first, second] = [...place.querySelectorAll('button')] as [HTMLButtonElement, HTMLButtonElement];
  return { first, second, send, place, model: models[0] as Model };
}

test('a run is started again as it was, and shown by the form', async () => {
  const { first, send, model } = open('old');
  expect(model.get('arguments')).toEqual({ x: 2 });

  first.click();
  await vi.waitFor(() => expect(model.get('run_id')).toBe('r2'));
  expect(send).toHaveBeenCalledWith('POST', 'runs/r1/rerun', {});
});

test('today’s notebook is offered only where it differs from that of the run', async () => {
  const { second, send, place } = open('new');
  await vi.waitFor(() => expect(second.hidden).toBe(false));
  expect(place.textContent).toContain('The notebook has changed since this run');
  second.click();
  await vi.waitFor(() => expect(send).toHaveBeenCalledWith('POST', 'runs/r1/rerun', { latest: true }));

  for (const version of ['old', new ApiError('it is not a notebook', 400, '')]) {
    const same = open(version);
    await new Promise((resolve) => setTimeout(resolve));
    expect(same.second.hidden).toBe(true);
  }
});

test('a refusal is told, and the buttons can be pressed again', async () => {
  const send = vi.fn(() => Promise.reject(new ApiError('key: it is secret and was not stored', 400, '')));
  const { first, place } = open('old', send);
  first.click();
  await vi.waitFor(() => expect(place.textContent).toContain('key: it is secret and was not stored'));
  expect(first.disabled).toBe(false);
});
