import { ApiError, type Transport } from '../../model/transport';
import type { UploadHandle } from '../../model/types';

/** The uploads of a group, fetched once for all file fields of a form. */
export class Uploads {
  list: UploadHandle[] = [];
  /** The limit of their size in bytes; null until the server has reported it. */
  limit: number | null = null;
  failure: string | null = null;
  isLoaded = false;
  private readonly listeners = new Set<() => void>();
  private loading: Promise<void> | null = null;

  constructor(
    private readonly transport: Transport,
    private readonly groupId: string,
  ) {}

  get path(): string {
    return `uploads/${this.groupId}/files`;
  }

  /** Call a function on every change; the first call fetches the uploads. */
  observe(listener: () => void): void {
    this.listeners.add(listener);
    if (!this.loading) void this.refresh();
  }

  add(upload: UploadHandle): void {
    if (!this.list.some((each) => each.id === upload.id)) this.list = [...this.list, upload];
    this.tell();
  }

  refresh(): Promise<void> {
    this.loading = this.load();
    return this.loading;
  }

  private async load(): Promise<void> {
    try {
      const [{ files }, about] = await Promise.all([
        this.transport.get<{ files: UploadHandle[] }>(this.path),
        this.transport.get<{ limits?: { upload?: number } }>(''),
      ]);
      this.list = files;
      this.limit = about.limits?.upload ?? null;
      this.failure = null;
      this.isLoaded = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failure = error.message;
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
