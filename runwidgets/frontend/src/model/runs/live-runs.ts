/**
 * The runs of a group or of a sweep: fetched page by page, then kept up to date by events.
 *
 * A run that an event names for the first time is fetched: in a group with the page of the newest runs, in a sweep
 * with all runs, since it may have replaced another one. Watchers are notified at most four times a second. A group
 * that was deleted no longer has any runs, and is not followed.
 */

import { ApiError, type Connection, type Transport } from '../transport';
import type { RunEvent, TablePage } from '../types';
import { ExistenceWatch } from './existence-watch';
import { applyToRow, type RunRow, toRows } from './run-rows';

const PAUSE = 250;
const MARGIN = 50;

export interface RunsWatcher {
  changed(): void;
  connection(connection: Connection): void;
  failed(error: ApiError): void;
  /** The sweep was paused or resumed. */
  paused?(isPaused: boolean): void;
  /** The group was deleted. */
  gone?(): void;
}

/** What a table needs of runs, whatever their source. */
export interface Runs {
  readonly rows: RunRow[];
  readonly isComplete: boolean;
  get(id: string): RunRow | undefined;
  close(): void;
}

export type Source = { group: string } | { sweep: string };

export class LiveRuns implements Runs {
  /** In a group, the newest first; in a sweep, in the order of its points. */
  rows: RunRow[] = [];
  isComplete = false;
  private readonly known = new Map<string, RunRow>();
  private readonly unknown = new Set<string>();
  private readonly unfollow: () => void;
  private readonly existence: ExistenceWatch;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isLoading = false;
  private mustReload = false;
  private isClosed = false;
  /** Events that arrived while a response was on its way; the response may be older than they are. */
  private readonly meanwhile: RunEvent[] = [];
  private asking = 0;

  constructor(
    private readonly transport: Transport,
    private readonly source: Source,
    private readonly watcher: RunsWatcher,
  ) {
    this.unfollow = transport.follow(source, {
      connected: () => void this.load(),
      connection: (connection) => watcher.connection(connection),
      event: (event) => {
        if (event.kind === 'paused') {
          // of the sweep, not of its runs
          watcher.paused?.(event.data.isPaused);
          return;
        }
        if (this.asking > 0) this.meanwhile.push(event);
        if (this.apply(event)) this.later();
      },
    });
    this.existence =
      'group' in source
        ? new ExistenceWatch(transport, `groups/${source.group}/runs?limit=1`, () => this.end())
        : new ExistenceWatch(transport, `sweeps/${source.sweep}/points?limit=1`, () => void this.load());
    void this.load();
  }

  get(id: string): RunRow | undefined {
    return this.known.get(id);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.unfollow();
    this.existence.close();
  }

  /** Forget the runs of a group that was deleted. */
  private end(): void {
    this.close();
    this.rows = [];
    this.known.clear();
    this.isComplete = true;
    this.watcher.gone?.();
  }

  private tellChanged(): void {
    this.watcher.changed();
    if (this.isComplete && this.rows.length === 0) void this.existence.ask();
  }

  /** Apply an event to the known runs; says whether that changed something. */
  private apply(event: RunEvent): boolean {
    const row = this.known.get(event.runId);
    if (event.kind === 'deleted') this.drop(event.runId);
    else if (!row) this.unknown.add(event.runId);
    else return applyToRow(row, event);
    return true;
  }

  private drop(id: string): void {
    this.unknown.delete(id);
    if (this.known.delete(id)) this.rows = this.rows.filter((row) => row.id !== id);
  }

  private later(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.unknown.size > 0) void this.catchUp();
      else this.tellChanged();
    }, PAUSE);
  }

  /** Fetch all runs; known ones are updated. */
  private async load(): Promise<void> {
    if (this.isLoading) {
      this.mustReload = true;
      return;
    }
    this.isLoading = true;
    try {
      const fresh: RunRow[] = [];
      let before: string | undefined;
      do {
        const page = await this.page(2000, before);
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
      this.forget();
    }
    if (!this.mustReload || this.isClosed) return;
    this.mustReload = false;
    await this.load();
  }

  private async catchUp(): Promise<void> {
    const wanted = [...this.unknown];
    this.unknown.clear();
    if ('sweep' in this.source) {
      await this.load();
      return;
    }
    try {
      const page = await this.page(Math.min(2000, wanted.length + MARGIN));
      if (this.isClosed) return;
      const fresh = toRows(page);
      const names = new Set(fresh.map((row) => row.id));
      this.take([...fresh, ...this.rows.filter((row) => !names.has(row.id))]);
    } catch (error) {
      for (const id of wanted) this.unknown.add(id);
      this.tell(error);
    } finally {
      this.forget();
    }
  }

  /** Forget the events that are part of every later response. */
  private forget(): void {
    if (this.asking === 0 && !this.isLoading) this.meanwhile.length = 0;
  }

  private take(rows: RunRow[]): void {
    this.rows = rows;
    this.known.clear();
    for (const row of rows) this.known.set(row.id, row);
    for (const event of this.meanwhile) this.apply(event);
    if (this.unknown.size > 0) this.later();
    this.tellChanged();
  }

  private async page(limit: number, cursor?: string): Promise<TablePage> {
    const [path, word] =
      'sweep' in this.source
        ? [`sweeps/${this.source.sweep}/points`, 'after']
        : [`groups/${this.source.group}/table`, 'before'];
    this.asking += 1;
    try {
      return await this.transport.get<TablePage>(`${path}?limit=${limit}${cursor ? `&${word}=${cursor}` : ''}`);
    } finally {
      this.asking -= 1;
    }
  }

  private tell(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (this.isClosed || error.status === 0) return;
    if (error.status === 404 && 'group' in this.source) this.end();
    else this.watcher.failed(error);
  }
}
