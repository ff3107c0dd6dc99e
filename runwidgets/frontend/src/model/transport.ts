import type { JsonValue, RunEvent } from './types';

const IS_API_ERROR = Symbol.for('runwidgets.ApiError');

/**
 * The error body of a refused request, with the thing at fault where it has a name.
 *
 * Each bundle has its own copy of this class, and a view gets the transport of another bundle: an error of any copy
 * is an instance.
 */
export class ApiError extends Error {
  readonly [IS_API_ERROR] = true;

  static override [Symbol.hasInstance](error: unknown): boolean {
    return typeof error === 'object' && error !== null && IS_API_ERROR in error;
  }

  constructor(
    message: string,
    readonly status: number,
    readonly kind: string,
    readonly subject: string | null = null,
    readonly problem: string | null = null,
  ) {
    super(message);
  }
}

/** Whose events are wanted: those of a run, of a group, of a sweep, or of all runs. */
export type EventQuery = { run?: string; group?: string; sweep?: string };

/** Say whether an event matches a query. */
export const isAbout = ({ run, group, sweep }: EventQuery, event: RunEvent): boolean =>
  (run === undefined || run === event.runId) &&
  (group === undefined || group === event.groupId) &&
  (sweep === undefined || sweep === event.sweepId);

/** The state of the live stream: connected, or disconnected since a moment. */
export type Connection = { isLive: true } | { isLive: false; since: Date };

export interface Follower {
  /** Called on every connection, before its events: whatever is known may be out of date. */
  connected(): void;
  event(event: RunEvent): void;
  connection(connection: Connection): void;
}

/** Carries requests of a view to the service; paths are relative to the routes of the extension. */
export interface Transport {
  get<Answer>(path: string): Promise<Answer>;
  text(path: string, limit: number): Promise<{ bytes: Uint8Array; isWhole: boolean }>;
  send<Answer>(verb: 'POST' | 'PUT' | 'DELETE', path: string, body?: JsonValue): Promise<Answer>;
  upload<Answer>(path: string, file: File, progress: (fraction: number) => void, signal: AbortSignal): Promise<Answer>;
  follow(query: EventQuery, follower: Follower): () => void;
  /** Return a URL for a link or an image. */
  url(path: string): string;
  /** Load one of the bundles by its name. */
  load<Module>(name: string): Promise<Module>;
  /** Milliseconds that the server's clock is ahead of this one. */
  readonly clockAhead: number;
}
