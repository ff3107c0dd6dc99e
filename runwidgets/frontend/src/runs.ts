/**
 * The runs of a group, as the server has them: fetched page by page, then kept by its events.
 *
 * A run that an event names for the first time is fetched with the next page of the newest; whoever watches
 * is told at most four times a second.
 */

import { applyToRow, type Page, type Row, toRows } from './table';
import { ApiError, type Connection, type Transport } from './transport/transport';

const PAUSE = 250;
const MARGIN = 50;

export interface RunsWatcher {
  changed(): void;
  connection(connection: Connection): void;
  failed(error: ApiError): void;
}

export class LiveRuns {
  /** Newest first. */
  rows: Row[] = [];
  isComplete = false;
  private readonly known = new Map<string, Row>();
  private readonly unknown = new Set<string>();
  private readonly unfollow: () => void;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isLoading = false;
  private isClosed = false;

  constructor(
    private readonly transport: Transport,
    private readonly groupId: string,
    private readonly watcher: RunsWatcher,
  ) {
    this.unfollow = transport.follow({ group: groupId }, {
      connected: () => void this.load(),
      connection: (connection) => watcher.connection(connection),
      event: (event) => {
        const row = this.known.get(event.runId);
        if (event.kind === 'deleted') this.drop(event.runId);
        else if (!row) this.unknown.add(event.runId);
        else if (!applyToRow(row, event)) return;
        this.later();
      },
    });
    void this.load();
  }

  get(id: string): Row | undefined {
    return this.known.get(id);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.unfollow();
  }

  private drop(id: string): void {
    this.unknown.delete(id);
    if (this.known.delete(id)) this.rows = this.rows.filter((row) => row.id !== id);
  }

  private later(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.unknown.size > 0) void this.catchUp();
      else this.watcher.changed();
    }, PAUSE);
  }

  /** Fetch everything; what is there already is brought up to date. */
  private async load(): Promise<void> {
    if (this.isLoading) return;
    this.isLoading = true;
    try {
      const fresh: Row[] = [];
      let before: string | undefined;
      do {
        const page = await this.page(`?limit=2000${before ? `&before=${before}` : ''}`);
        if (this.isClosed) return;
        fresh.push(...toRows(page));
        before = page.next;
        if (!this.isComplete) this.take(fresh);
      } while (before);
      this.isComplete = true;
      this.take(fresh);
    } catch (error) {
      this.tell(error);
    } finally {
      this.isLoading = false;
    }
  }

  private async catchUp(): Promise<void> {
    try {
      const page = await this.page(`?limit=${Math.min(2000, this.unknown.size + MARGIN)}`);
      if (this.isClosed) return;
      this.unknown.clear();
      const fresh = toRows(page);
      const names = new Set(fresh.map((row) => row.id));
      this.take([...fresh, ...this.rows.filter((row) => !names.has(row.id))]);
    } catch (error) {
      this.tell(error);
    }
  }

  private take(rows: Row[]): void {
    this.rows = rows;
    this.known.clear();
    for (const row of rows) this.known.set(row.id, row);
    this.watcher.changed();
  }

  private page(query: string): Promise<Page> {
    return this.transport.get<Page>(`groups/${this.groupId}/table${query}`);
  }

  private tell(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (!this.isClosed && error.status !== 0) this.watcher.failed(error);
  }
}
