import { isActive } from '../states';
import { ApiError, type Connection, type Transport } from '../transport';
import type { LogPiece, RunEvent, RunHandle, RunSeries, StateName } from '../types';
import { MetricSeries } from './metric-series';

export interface RunWatcher {
  changed(run: RunHandle): void;
  /** The series of the run have grown. */
  recorded?(series: MetricSeries): void;
  printed(text: string): void;
  connection(connection: Connection): void;
  gone(): void;
  failed(error: ApiError): void;
}

/** Apply an event to a run handle; says whether the handle must be fetched again to be complete. */
export function applyEvent(run: RunHandle, event: RunEvent): boolean {
  if (event.kind === 'state') {
    run.state = event.data.state;
    for (const key of ['startedAt', 'finishedAt'] as const) {
      const moment = event.data[key];
      if (moment) run[key] = moment;
    }
    if (event.data.reason) run.reason = event.data.reason;
    if (event.data.messages) run.messages = event.data.messages;
    return !isActive(run.state);
  }
  if (event.kind === 'files') return true;
  if (event.kind === 'progress') run.progress = event.data;
  if (event.kind === 'metric') {
    run.metrics = { ...run.metrics, [event.data.name]: event.data.value };
  }
  return false;
}

/** Say whether a run handle is older than another one: a state never moves back. */
export function isOlder(run: RunHandle, other: RunHandle): boolean {
  const rank = (state: StateName): number =>
    (({ PENDING: 0, RUNNING: 1 }) as Partial<Record<StateName, number>>)[state] ?? 2;
  return rank(run.state) < rank(other.state);
}

/** The number of points of a series that are fetched: more than a plot can show. */
const MOST_POINTS = 2000;

/** Keeps the handle, log and series of a run up to date. */
export class LiveRun {
  private run: RunHandle | null = null;
  private offset: number | null = null;
  private size = 0;
  private isReading = false;
  private hasMissed = false;
  private isClosed = false;
  private readonly series = new MetricSeries();
  private unfollow: () => void;

  constructor(
    private readonly transport: Transport,
    private readonly id: string,
    private readonly watcher: RunWatcher,
  ) {
    this.unfollow = transport.follow(
      { run: id },
      {
        connected: () => void this.refresh(),
        event: (event) => this.take(event),
        connection: (connection) => watcher.connection(connection),
      },
    );
    void this.refresh();
  }

  close(): void {
    this.isClosed = true;
    this.unfollow();
  }

  /** Take over a run handle from a response, unless events have brought a newer state in the meantime. */
  accept(run: RunHandle): void {
    if (this.isClosed || (this.run !== null && isOlder(run, this.run))) return;
    this.run = run;
    this.watcher.changed(run);
  }

  async refresh(): Promise<void> {
    try {
      this.accept(await this.transport.get<RunHandle>(`runs/${this.id}`));
      if (this.hasMissed) {
        this.hasMissed = false;
        this.accept(await this.transport.get<RunHandle>(`runs/${this.id}`));
      }
      await this.read(true);
      await this.readSeries();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.isClosed) return;
      if (error.kind === 'UnknownRunError') this.end();
      else if (error.status !== 0) this.watcher.failed(error);
    }
  }

  private take(event: RunEvent): void {
    if (event.kind === 'deleted') {
      this.end();
      return;
    }
    if (event.kind === 'log') {
      this.size = event.data.size;
      void this.read(false);
      return;
    }
    if (!this.run) {
      this.hasMissed = true; // the response on its way may be older than the event
      return;
    }
    if (event.kind === 'metric' && this.series.take(event.data)) this.watcher.recorded?.(this.series);
    const isIncomplete = applyEvent(this.run, event);
    if (isIncomplete) void this.refresh();
    if (!isIncomplete || this.run.state !== 'SUCCESS') this.watcher.changed(this.run);
    if (event.kind === 'state') void this.read(true);
  }

  /** Fetch the series of a run that has recorded numbers. */
  private async readSeries(): Promise<void> {
    if (!this.watcher.recorded || !Object.values(this.run?.metrics ?? {}).some((each) => typeof each === 'number'))
      return;
    this.series.read(await this.transport.get<RunSeries>(`runs/${this.id}/series?limit=${MOST_POINTS}`));
    if (!this.isClosed && this.series.names.length) this.watcher.recorded?.(this.series);
  }

  private end(): void {
    this.close();
    this.watcher.gone();
  }

  /** Fetch what is new in the log; of a long one only the end. */
  private async read(isForced: boolean): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    try {
      let more = isForced || this.offset === null || this.size > this.offset;
      while (more && !this.isClosed) {
        const from: number = this.offset ?? -100_000;
        const piece = await this.transport.get<LogPiece>(`runs/${this.id}/log?offset=${from}`);
        if (piece.text) this.watcher.printed(piece.text);
        this.offset = piece.next;
        this.size = Math.max(this.size, piece.size);
        more = piece.text !== '' && this.size > piece.next;
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the stream reports when the server cannot be reached
    } finally {
      this.isReading = false;
    }
  }
}
