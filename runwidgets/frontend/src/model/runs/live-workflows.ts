/** The list of workflows, kept up to date: fetched again when runs start or end, and periodically. */

import { pauseAfter } from '../retry';
import { ApiError, type Connection, type Transport } from '../transport';
import type { WorkflowDescriptor, WorkflowList } from '../types';

const SOON = 500;
const EVERY = 10_000;

export interface WorkflowsWatcher {
  changed(): void;
  connection(connection: Connection): void;
  failed(error: ApiError): void;
}

/** Return the workflows whose name or description contains every word. */
export function matching(list: readonly WorkflowDescriptor[], line: string): WorkflowDescriptor[] {
  const words = line.toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((each) => {
    const text = `${each.name} ${each.description ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

export class LiveWorkflows {
  /** Oldest first; null before the first response. */
  list: WorkflowDescriptor[] | null = null;
  private readonly unfollow: () => void;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isSoon = false;
  private isClosed = false;
  private failures = 0;

  constructor(
    private readonly transport: Transport,
    private readonly watcher: WorkflowsWatcher,
  ) {
    this.unfollow = transport.follow(
      {},
      {
        connected: () => void this.refresh(),
        connection: (connection) => watcher.connection(connection),
        event: (event) => {
          if ((event.kind === 'state' || event.kind === 'deleted') && !this.isSoon) this.later(SOON, true);
        },
      },
    );
    document.addEventListener('visibilitychange', this.seen);
    void this.refresh();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.unfollow();
    document.removeEventListener('visibilitychange', this.seen);
  }

  async refresh(): Promise<void> {
    this.later(EVERY, false);
    try {
      const { workflows } = await this.transport.get<WorkflowList>('workflows');
      if (this.isClosed) return;
      this.failures = 0;
      this.list = workflows;
      this.watcher.changed();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.isClosed) return;
      this.failures += 1;
      this.later(pauseAfter(this.failures), false);
      this.watcher.failed(error);
    }
  }

  private readonly seen = (): void => {
    if (!document.hidden) void this.refresh();
  };

  private later(pause: number, isSoon: boolean): void {
    if (this.isClosed) return;
    clearTimeout(this.timer);
    this.isSoon = isSoon;
    this.timer = setTimeout(() => (document.hidden ? this.later(EVERY, false) : void this.refresh()), pause);
  }
}
