import type { RunEvent } from '../types';
import type { Follower } from './transport';

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

/** Return the pause before the next try, in milliseconds: doubled each time, up to a bound. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.max(0, failures - 1));
}

/**
 * Follow a stream of server-sent events, resuming after the last one seen.
 *
 * The browser's own resumption is not relied on: it gives up for good on some errors, and says nothing.
 */
export function followEvents(url: string, follower: Follower): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last: number | null = null;
  let failures = 0;
  let since: Date | null = null;

  function open(): void {
    const resumed = last === null ? url : `${url}${url.includes('?') ? '&' : '?'}after=${last}`;
    source = new EventSource(resumed);
    source.addEventListener('hello', (message) => {
      const seq = (JSON.parse((message as MessageEvent<string>).data) as { seq: number }).seq;
      last ??= seq;
      failures = 0;
      since = null;
      follower.connection({ isLive: true });
      follower.connected();
    });
    source.addEventListener('run', (message) => {
      const event = JSON.parse((message as MessageEvent<string>).data) as RunEvent;
      if (last !== null && event.seq <= last) return;
      last = event.seq;
      follower.event(event);
    });
    source.onerror = () => {
      source?.close();
      failures += 1;
      since ??= new Date();
      follower.connection({ isLive: false, since });
      timer = setTimeout(open, pauseAfter(failures));
    };
  }

  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
