import { parseJson } from '../model/json';
import { pauseAfter } from '../model/retry';
import { type Connection, type EventQuery, type Follower, isAbout } from '../model/transport';
import type { RunEvent } from '../model/types';

/**
 * Follow a stream of server-sent events, resuming after the last one seen.
 *
 * The browser's own reconnection is not used: it gives up on some errors, without reporting them.
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
      const event = parseJson<RunEvent>((message as MessageEvent<string>).data);
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

/**
 * One stream for all views of a page: a browser opens at most six connections to a host, and a stream
 * keeps one open for as long as it lives, so a seventh view would wait forever.
 */
class Hub {
  private readonly followers = new Map<Follower, EventQuery>();
  private connection: Connection | null = null;
  private stop: (() => void) | null = null;

  constructor(private readonly url: string) {}

  join(query: EventQuery, follower: Follower): () => void {
    this.followers.set(follower, query);
    this.stop ??= followEvents(this.url, {
      connected: () => this.tell((each) => each.connected()),
      connection: (connection) => {
        this.connection = connection;
        this.tell((each) => each.connection(connection));
      },
      event: (event) =>
        this.tell((each, query) => {
          if (isAbout(query, event)) each.event(event);
        }),
    });
    if (this.connection) follower.connection(this.connection);
    return () => this.leave(follower);
  }

  private leave(follower: Follower): void {
    this.followers.delete(follower);
    if (this.followers.size > 0) return;
    this.stop?.();
    this.stop = null;
    this.connection = null;
  }

  private tell(say: (follower: Follower, query: EventQuery) => void): void {
    for (const [follower, query] of [...this.followers]) say(follower, query);
  }
}

const HUBS = Symbol.for('runwidgets.hubs');

/** Follow a query on the only stream of the page, which is a global, since each widget is a bundle of its own. */
export function joinStream(url: string, query: EventQuery, follower: Follower): () => void {
  const page = globalThis as { [HUBS]?: Map<string, Hub> };
  page[HUBS] ??= new Map<string, Hub>();
  const hubs = page[HUBS];
  let hub = hubs.get(url);
  if (!hub) {
    hub = new Hub(url);
    hubs.set(url, hub);
  }
  return hub.join(query, follower);
}
