import { parseJson } from '../model/json';
import { ApiError, type EventQuery, type Follower, type Transport } from '../model/transport';
import type { ErrorBody, JsonValue } from '../model/types';
import { joinStream } from './event-stream';

/** A hash of the sources; set by build.mjs. */
declare const BUILD: string;

/** Return the URL of the routes for this page, null if the page has no Jupyter server. */
export function findBase(page: Document): string | null {
  const config = page.getElementById('jupyter-config-data')?.textContent;
  if (!config) return null;
  const base = (JSON.parse(config) as { baseUrl?: string }).baseUrl ?? '/';
  return `${base.endsWith('/') ? base : `${base}/`}runwidgets/api/`;
}

/** Return the value of a cookie, empty if there is none. */
export function readCookie(cookies: string, name: string): string {
  for (const each of cookies.split(';')) {
    const [key, ...rest] = each.trim().split('=');
    if (key === name) return decodeURIComponent(rest.join('='));
  }
  return '';
}

/** Make an error of the response to a refused request, also if its body is not an error body. */
export function toError(status: number, body: string): ApiError {
  try {
    const parsed = JSON.parse(body) as Partial<ErrorBody>;
    if (parsed.message) {
      return new ApiError(parsed.message, status, parsed.error ?? '', parsed.subject ?? null, parsed.problem ?? null);
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return new ApiError(`the server answered ${status}`, status, '');
}

/** Sends requests to the server of this page. */
export class RestTransport implements Transport {
  clockAhead = 0;

  constructor(private readonly base: string) {}

  url(path: string): string {
    return this.base + path;
  }

  load<Module>(name: string): Promise<Module> {
    const path = `${this.base.replace(/runwidgets\/api\/$/, '')}static/runwidgets/${name}.js?v=${BUILD}`;
    // The code of a widget has no URL to which a path could be relative.
    return import(/* @vite-ignore */ new URL(path, location.href).href) as Promise<Module>;
  }

  async get<Answer>(path: string): Promise<Answer> {
    return parseJson<Answer>(await (await this.ask('GET', path)).text());
  }

  async text(path: string, limit: number): Promise<{ bytes: Uint8Array; isWhole: boolean }> {
    const answer = await this.ask('GET', path);
    const reader = answer.body?.getReader();
    const pieces: Uint8Array[] = [];
    let size = 0;
    let isWhole = true;
    while (reader) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value);
      size += value.length;
      if (size > limit) {
        isWhole = false;
        await reader.cancel();
        break;
      }
    }
    const bytes = new Uint8Array(Math.min(size, limit));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece.subarray(0, bytes.length - at), at);
      at += Math.min(piece.length, bytes.length - at);
    }
    return { bytes, isWhole };
  }

  async send<Answer>(verb: 'POST' | 'PUT' | 'DELETE', path: string, body?: JsonValue): Promise<Answer> {
    const answer = await this.ask(verb, path, body);
    return answer.status === 204 ? (null as Answer) : parseJson<Answer>(await answer.text());
  }

  async upload<Answer>(
    path: string,
    file: File,
    progress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<Answer> {
    const token = await this.token();
    // `fetch` does not report the progress of an upload.
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      const form = new FormData();
      form.append('file', file, file.name);
      request.open('POST', this.url(path));
      request.setRequestHeader('X-XSRFToken', token);
      request.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
      request.onload = () => {
        if (request.status < 300) resolve(parseJson<Answer>(request.responseText));
        else reject(toError(request.status, request.responseText));
      };
      request.onerror = () => reject(new ApiError('the server could not be reached', 0, ''));
      request.onabort = () => reject(new ApiError('the upload was stopped', 0, 'Aborted'));
      signal.addEventListener('abort', () => request.abort());
      request.send(form);
    });
  }

  follow(query: EventQuery, follower: Follower): () => void {
    return joinStream(this.url('events'), query, follower);
  }

  /** Return the XSRF token; a page without one (of Voilà) gets it with the response to a GET request. */
  private async token(): Promise<string> {
    const known = readCookie(document.cookie, '_xsrf');
    if (known) return known;
    await this.fetch('GET', '');
    return readCookie(document.cookie, '_xsrf');
  }

  private async ask(verb: string, path: string, body?: JsonValue): Promise<Response> {
    if (verb === 'GET') return this.fetch(verb, path);
    const sent = await this.token();
    try {
      return await this.fetch(verb, path, body);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error;
      await this.fetch('GET', ''); // sets another token if the server no longer takes the one that was sent
      if (readCookie(document.cookie, '_xsrf') === sent) throw error;
      return this.fetch(verb, path, body);
    }
  }

  private async fetch(verb: string, path: string, body?: JsonValue): Promise<Response> {
    const headers: Record<string, string> = { 'X-XSRFToken': readCookie(document.cookie, '_xsrf') };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const began = Date.now();
    let answer: Response;
    try {
      answer = await fetch(this.url(path), {
        method: verb,
        headers,
        credentials: 'same-origin',
        cache: 'no-store',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (error instanceof TypeError) throw new ApiError('the server could not be reached', 0, '');
      throw error;
    }
    const said = Date.parse(answer.headers.get('Date') ?? '');
    if (!Number.isNaN(said) && Math.abs(said - began) > 2000) this.clockAhead = said - began;
    if (!answer.ok) throw toError(answer.status, await answer.text());
    return answer;
  }
}
