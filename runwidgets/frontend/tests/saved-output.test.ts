import { afterEach, describe, expect, it, vi } from 'vitest';
import { readSaved, show } from '../src/hosts/mime/saved-output';

const saved = { run_id: 'a1b2', notebook: 'train.ipynb', state: 'SUCCESS', seen: '2026-01-02T03:04:05Z' };
const finished = {
  id: 'a1b2',
  state: 'SUCCESS',
  createdAt: saved.seen,
  startedAt: saved.seen,
  finishedAt: saved.seen,
  workflowId: 'w',
  groupId: 'g',
  arguments: [],
  parameters: [],
  notebook: 'train.ipynb',
  files: [],
  metrics: {},
};

class Stream {
  static open = 0;
  static last: Stream;
  onerror: (() => void) | null = null;
  hello: (message: { data: string }) => void = () => undefined;
  constructor() {
    Stream.open += 1;
    Stream.last = this;
  }
  addEventListener(kind: string, heard: (message: { data: string }) => void): void {
    if (kind === 'hello') this.hello = heard;
  }
  close(): void {
    Stream.open -= 1;
  }
}

/** A page whose server has the given runs; its requests are recorded. */
function page(answer: () => Response): string[] {
  document.body.innerHTML = '<script id="jupyter-config-data" type="application/json">{"baseUrl": "/hub/"}</script>';
  const asked: string[] = [];
  vi.stubGlobal('EventSource', Stream);
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url);
    return url.includes('/log') ? Response.json({ text: '', offset: 0, next: 0, size: 0 }) : answer();
  });
  return asked;
}

async function shown(
  data: typeof saved,
  isTrusted: boolean,
  words: string,
): Promise<{ node: HTMLElement; close: () => void }> {
  const node = document.createElement('div');
  document.body.append(node);
  const close = show(node, data, isTrusted);
  await vi.waitFor(() => expect(node.textContent).toContain(words));
  return { node, close };
}

const labels = (node: HTMLElement): (string | null)[] =>
  [...node.querySelectorAll('.rw-actions button')].map((each) => each.textContent);

afterEach(() => vi.unstubAllGlobals());

describe('the data of an output', () => {
  it('is read if it names a run', () => {
    expect(readSaved(saved)?.id).toBe('a1b2');
    expect(readSaved(saved)?.description).toContain('train.ipynb, Succeeded, ');
    expect(readSaved({ run_id: 'a1b2' })).toEqual({ id: 'a1b2', isSweep: false, description: '' });
    expect(readSaved({ sweep_id: 's1' })).toEqual({ id: 's1', isSweep: true, description: '' });
    expect(readSaved({ ...saved, state: '<b>' })?.description).toBe('');
    expect(readSaved({ ...saved, notebook: 'a\u202eb' })?.description).toContain('a⟨U+202E⟩b');
  });

  it('is refused if it could become another URL', () => {
    for (const id of ['', '../../api/contents', 'a/b', 'a?b', 'a b', 'x'.repeat(65), 7, null, ['a']]) {
      expect(readSaved({ run_id: id as string })).toBeNull();
    }
    for (const data of [null, 'a', 7, [], {}]) expect(readSaved(data)).toBeNull();
  });
});

describe('a saved output', () => {
  it('acts in a trusted notebook, and asks the server of the page', async () => {
    const asked = page(() => Response.json(finished));
    const { node, close } = await shown(saved, true, 'Succeeded');
    expect(asked[0]).toBe('/hub/runwidgets/api/runs/a1b2');
    expect(labels(node)).toEqual(expect.arrayContaining(['Run again', 'Delete']));
    const heard = vi.fn();
    document.body.addEventListener('keydown', heard);
    node.querySelector('button')?.dispatchEvent(new KeyboardEvent('keydown', { key: 'd', bubbles: true }));
    expect(heard).not.toHaveBeenCalled();
    close();
  });

  it('says in an untrusted one why it cannot', async () => {
    page(() => Response.json(finished));
    const { node, close } = await shown(saved, false, 'This notebook is not trusted');
    expect(labels(node)).toEqual([]);
    close();
  });

  it('tells how the run was, if the server no longer has it', async () => {
    page(() => Response.json({ message: 'no', error: 'UnknownRunError' }, { status: 404 }));
    const { node, close } = await shown(saved, true, 'This server has no such run');
    expect(node.textContent).toContain('When this was saved: train.ipynb, Succeeded');
    close();
  });

  it('says so if the server does not have our routes, and sends no more requests', async () => {
    page(() => new Response('<html>', { status: 404 }));
    const { close } = await shown(saved, true, 'Live views need the Jupyter server extension');
    expect(Stream.open).toBe(0);
    close();
  });

  it('says since when the server is away, and continues when it is back', async () => {
    let isAway = true;
    page(() => {
      if (isAway) throw new TypeError('away');
      return Response.json(finished);
    });
    const { node, close } = await shown(saved, true, 'Loading');
    const lost = Stream.last;
    lost.onerror?.();
    expect(node.textContent).toContain('has not responded since');
    isAway = false;
    await vi.waitFor(() => expect(Stream.last).not.toBe(lost), 3000);
    Stream.last.hello({ data: '{"seq": 1}' });
    await vi.waitFor(() => expect(node.textContent).toContain('Succeeded'));
    expect(node.textContent).not.toContain('has not responded since');
    close();
  });

  it('leaves nothing behind', async () => {
    page(() => Response.json(finished));
    const { node, close } = await shown(saved, true, 'Succeeded');
    expect(Stream.open).toBe(1);
    close();
    expect(Stream.open).toBe(0);
    expect(node.childElementCount).toBe(0);
  });
});
