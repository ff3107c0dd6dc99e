import { parseJson } from '../model/json';
import { pauseAfter } from '../model/retry';
import { ApiError, type EventQuery, type Follower, isAbout, type Transport } from '../model/transport';
import type { JsonValue, RunEvent } from '../model/types';
import { toError } from './rest-transport';

/** The scheme of URLs that only `serveKernelFiles` can resolve. */
export const SCHEME = 'runwidgets:';
const PIECE = 1_000_000;
/** Milliseconds without a message after which the kernel counts as away; it sends one every 15 seconds. */
const PATIENCE = 45_000;

/** The comm to the widget in the kernel, as anywidget provides it. */
export interface Channel {
  send(content: JsonValue, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(event: string, heard: MessageListener): void;
  off(event: string, heard: MessageListener): void;
}
export type MessageListener = (content: JsonValue, buffers?: DataView[]) => void;

/** A message of the kernel: a piece of a reply, the acknowledgement of a piece, or events. */
interface KernelMessage {
  id?: string;
  status?: number;
  at?: number;
  isLast?: boolean;
  type?: string;
  name?: string;
  got?: number;
  events?: RunEvent[];
  count?: number;
  now: number;
}

interface Reply {
  status: number;
  type: string;
  name: string;
  bytes: Uint8Array;
}

interface PendingRequest {
  pieces: Uint8Array[];
  size: number;
  got(bytes: number): void;
  resolve(answer: Reply): void;
  reject(error: ApiError): void;
}

/** Join pieces, up to a number of bytes. */
function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece.subarray(0, size - at), at);
    at += Math.min(piece.length, size - at);
  }
  return bytes;
}

/** Sends requests to the widget in the kernel, if the page reaches no server with our routes. */
export class CommTransport implements Transport {
  clockAhead = 0;
  private readonly client = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
  private asked = 0;
  private ahead = -Infinity;
  private count: number | null = null;
  private readonly waiting = new Map<string, PendingRequest>();
  private readonly modules = new Map<string, Promise<unknown>>();
  private readonly followers = new Map<Follower, EventQuery>();
  private readonly hearing = new Set<Follower>();
  private failures = 0;
  private lostSince: Date | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private readonly heard: MessageListener = (content, buffers) => this.hear(content, buffers ?? []);

  constructor(private readonly channel: Channel) {
    channel.on('msg:custom', this.heard);
  }

  /** Close the comm; requests that are under way are stopped. */
  close(): void {
    for (const [id, { reject }] of [...this.waiting]) {
      this.say({ kind: 'stop', id });
      reject(new ApiError('the view was closed', 0, 'Aborted'));
    }
    this.followers.clear();
    this.say({ kind: 'watch', id: this.newId(), client: this.client, keys: [] });
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.channel.off('msg:custom', this.heard);
  }

  url(path: string): string {
    return SCHEME + path;
  }

  async get<Given>(path: string): Promise<Given> {
    return this.parse<Given>(await this.ask({ kind: 'ask', verb: 'GET', path }));
  }

  async text(path: string, limit: number): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
    const { bytes } = await this.ask({ kind: 'ask', verb: 'GET', path, limit });
    return { bytes: bytes.subarray(0, limit), isWhole: bytes.length <= limit };
  }

  async send<Given>(verb: 'POST' | 'PUT' | 'DELETE', path: string, body?: JsonValue): Promise<Given> {
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.parse<Given>(await this.ask({ kind: 'ask', verb, path, ...text }));
  }

  /** Fetch a file, with its name and type as the service reports them. */
  async file(path: string): Promise<{ content: Blob; name: string }> {
    const { bytes, name, type } = await this.ask({ kind: 'ask', verb: 'GET', path });
    return { content: new Blob([bytes as BlobPart], { type }), name };
  }

  load<Module>(name: string): Promise<Module> {
    let module = this.modules.get(name);
    if (!module) {
      module = this.importText(name);
      this.modules.set(name, module);
      module.catch(() => this.modules.delete(name));
    }
    return module as Promise<Module>;
  }

  async upload<Given>(
    path: string,
    file: File,
    progress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<Given> {
    const id = this.newId();
    const answer = this.expect(id);
    answer.catch(() => undefined); // it may come while a piece is awaited
    const end = (error: ApiError): void => {
      this.say({ kind: 'stop', id });
      this.waiting.get(id)?.reject(error);
    };
    const stop = (): void => end(new ApiError('the upload was stopped', 0, 'Aborted'));
    signal.addEventListener('abort', stop);
    try {
      let at = 0;
      let isLast = false;
      if (signal.aborted) stop();
      while (!isLast && this.waiting.has(id)) {
        const piece = await file
          .slice(at, at + PIECE)
          .arrayBuffer()
          .catch((error: Error) => {
            end(new ApiError(error.message, 0, '')); // the file no longer exists
            return null;
          });
        const waiting = this.waiting.get(id);
        if (!waiting || !piece) break;
        isLast = at + piece.byteLength >= file.size;
        const taken = new Promise<number>((resolve) => (waiting.got = resolve));
        this.say({ kind: 'piece', id, path, name: file.name, at, isLast }, [piece]);
        at += piece.byteLength;
        if (!isLast) await Promise.race([taken, answer]);
        progress(file.size ? at / file.size : 1);
      }
      return this.parse<Given>(await answer);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  follow(query: EventQuery, follower: Follower): () => void {
    this.followers.set(follower, query);
    void this.watch();
    return () => {
      this.hearing.delete(follower);
      if (this.followers.delete(follower)) void this.watch();
    };
  }

  // -- requests ----------------------------------------------------------------------------------

  private newId(): string {
    this.asked += 1;
    return `${this.client}-${this.asked}`;
  }

  private say(message: { [name: string]: JsonValue }, buffers: ArrayBuffer[] = []): void {
    this.channel.send({ runwidgets: message }, undefined, buffers);
  }

  private expect(id: string): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      this.waiting.set(id, {
        pieces: [],
        size: 0,
        got: () => undefined,
        resolve: (answer) => {
          this.waiting.delete(id);
          resolve(answer);
        },
        reject: (error) => {
          this.waiting.delete(id);
          reject(error);
        },
      });
    });
  }

  private ask(message: { [name: string]: JsonValue }): Promise<Reply> {
    const id = this.newId();
    const answer = this.expect(id);
    this.say({ ...message, id });
    return answer;
  }

  private parse<Given>({ bytes }: Reply): Given {
    return bytes.length === 0 ? (null as Given) : parseJson<Given>(new TextDecoder().decode(bytes));
  }

  private async importText(name: string): Promise<unknown> {
    const { bytes } = await this.ask({ kind: 'load', name });
    const address = URL.createObjectURL(new Blob([bytes as BlobPart], { type: 'text/javascript' }));
    try {
      return await import(/* @vite-ignore */ address);
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  // -- replies and events ------------------------------------------------------------------------

  private hear(content: JsonValue, buffers: readonly DataView[]): void {
    const said = (content as { runwidgets?: unknown } | null)?.runwidgets as KernelMessage | undefined;
    if (!said) return;
    // A delayed message makes the kernel's clock look late, never early.
    this.ahead = Math.max(this.ahead, said.now - Date.now());
    this.clockAhead = Math.abs(this.ahead) > 2000 ? this.ahead : 0;
    if (said.events) this.tell(said.events, said.count ?? 0);
    const waiting = said.id === undefined ? undefined : this.waiting.get(said.id);
    if (!waiting) return;
    if (said.got !== undefined) waiting.got(said.got);
    else this.collect(waiting, said, buffers);
  }

  private collect(waiting: PendingRequest, said: KernelMessage, buffers: readonly DataView[]): void {
    const status = said.status ?? 0;
    const pieces = buffers.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
    if (status >= 400) {
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      waiting.reject(toError(status, new TextDecoder().decode(joined(pieces, size))));
      return;
    }
    if (said.at !== waiting.size) {
      this.say({ kind: 'stop', id: said.id ?? '' });
      waiting.reject(new ApiError('a part of the answer was lost on its way; try again', 0, ''));
      return;
    }
    for (const piece of pieces) {
      waiting.pieces.push(piece);
      waiting.size += piece.length;
    }
    if (!said.isLast) return;
    waiting.resolve({
      status,
      type: said.type ?? '',
      name: said.name ?? '',
      bytes: joined(waiting.pieces, waiting.size),
    });
  }

  private tell(events: readonly RunEvent[], count: number): void {
    const hasMissed = this.count !== null && count !== this.count + 1;
    this.count = count;
    const isBack = this.lostSince !== null;
    this.listenOn();
    for (const follower of [...this.hearing]) {
      if (isBack) follower.connection({ isLive: true });
      if (isBack || hasMissed) follower.connected();
      for (const event of events) {
        const query = this.followers.get(follower);
        if (query && isAbout(query, event)) follower.event(event);
      }
    }
  }

  /** Note that the kernel has sent a message, and wait for the next. */
  private listenOn(): void {
    this.lostSince = null;
    clearTimeout(this.silence);
    if (this.followers.size > 0) this.silence = setTimeout(() => this.lose(), PATIENCE);
  }

  private lose(): void {
    this.lostSince ??= new Date();
    const since = this.lostSince;
    for (const follower of [...this.followers.keys()]) follower.connection({ isLive: false, since });
  }

  /** Tell the kernel which events are wanted; new followers are then connected. */
  private async watch(): Promise<void> {
    clearTimeout(this.retry);
    const wanted = new Map(this.followers);
    const keys = [...new Set([...wanted.values()].map(({ run, group, sweep }) => run ?? sweep ?? group ?? ''))];
    try {
      await this.ask({ kind: 'watch', client: this.client, keys });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.kind === 'Aborted') return;
      this.failures += 1;
      this.lose();
      this.retry = setTimeout(() => void this.watch(), pauseAfter(this.failures));
      return;
    }
    this.failures = 0;
    this.listenOn();
    for (const follower of wanted.keys()) {
      if (!this.followers.has(follower) || this.hearing.has(follower)) continue;
      this.hearing.add(follower);
      follower.connection({ isLive: true });
      follower.connected();
    }
  }
}
