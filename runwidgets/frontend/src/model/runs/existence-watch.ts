/** Whether a group or a sweep still exists: checked on request, and periodically, because there is no event for it. */

import { ApiError, type Transport } from '../transport';

const EVERY = 10_000;

export class ExistenceWatch {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isAsking = false;
  private isClosed = false;

  constructor(
    private readonly transport: Transport,
    private readonly path: string,
    private readonly gone: () => void,
  ) {
    document.addEventListener('visibilitychange', this.seen);
    this.later();
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.seen);
  }

  /** Check now; what the server does not know was deleted, and is not checked again. */
  async ask(): Promise<void> {
    if (this.isAsking || this.isClosed) return;
    this.isAsking = true;
    clearTimeout(this.timer);
    try {
      await this.transport.get(this.path);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) this.end();
    } finally {
      this.isAsking = false;
      this.later();
    }
  }

  private end(): void {
    if (this.isClosed) return;
    this.close();
    this.gone();
  }

  private readonly seen = (): void => {
    if (!document.hidden) void this.ask();
  };

  private later(): void {
    if (this.isClosed) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (document.hidden ? this.later() : void this.ask()), EVERY);
  }
}
