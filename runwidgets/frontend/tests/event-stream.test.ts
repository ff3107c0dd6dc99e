import { expect, test } from 'vitest';
import { pauseAfter } from '../src/model/retry';
import type { Follower } from '../src/model/transport';

const LOG = { seq: 1, runId: 'r', groupId: 'g', kind: 'log', data: { size: 1 }, at: '' };

test('pauses grow up to a bound', () => {
  expect([1, 2, 3, 20].map(pauseAfter)).toEqual([500, 1000, 2000, 15_000]);
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
  opened[0]?.say('run', { ...LOG, seq: 4, runId: 'a' });
  opened[0]?.say('run', { ...LOG, seq: 5, runId: 'a' });
  leaveA();
  leaveB();

  expect(opened.map((each) => [each.url, each.isOpen])).toEqual([['/events', false]]);
  expect(heard).toEqual(['A connected', 'B connected', 'A log']);
});
