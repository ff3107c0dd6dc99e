import { defaultsOf } from '../../model/form/options';
import { isEqual } from '../../model/json';
import { ApiError, type Connection, type Transport } from '../../model/transport';
import type { JsonValue, WorkflowHandle } from '../../model/types';

const PAUSE = 2000;
const LONGEST_PAUSE = 30_000;

/** What a form does with its template. */
export interface TemplateWatcher {
  /** Return the id of the workflow. */
  id(): string;
  loading(): void;
  /** Called with the first handle, and with each whose template differs; returns the group that is followed. */
  changed(workflow: WorkflowHandle, isFirst: boolean): string;
  failed(message: string, retry: () => void): void;
  connection(connection: Connection): void;
}

export interface TemplateWatch {
  /** Fetch another workflow. */
  restart(): void;
  close(): void;
}

/** The parts of a template from which a form is built. */
const asked = (of: WorkflowHandle, group: string): JsonValue =>
  [
    of.name,
    of.description,
    of.parameters,
    of.parameterGroups,
    of.warnings,
    defaultsOf(of, group),
  ] as unknown as JsonValue;

/** Fetch the template of a workflow, at first and whenever the server can be reached again. */
export function watchTemplate(transport: Transport, watcher: TemplateWatcher): TemplateWatch {
  let shown: WorkflowHandle | null = null;
  let leave: (() => void) | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let pause = PAUSE;
  let isClosed = false;
  let groupId = '';

  async function load(): Promise<void> {
    clearTimeout(retry);
    if (!shown) watcher.loading();
    try {
      const found = await transport.get<WorkflowHandle>(`workflows/${watcher.id()}`);
      if (isClosed) return;
      pause = PAUSE;
      if (shown && isEqual(asked(found, groupId), asked(shown, groupId))) return;
      const isFirst = shown === null;
      shown = found;
      groupId = watcher.changed(found, isFirst);
      if (isFirst) follow();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (isClosed || shown) return; // the stream reports when the server cannot be reached
      watcher.failed(error.message, () => void load());
      if (error.status !== 0) return;
      retry = setTimeout(() => void load(), pause);
      pause = Math.min(LONGEST_PAUSE, 2 * pause);
    }
  }

  function follow(): void {
    leave?.();
    const { connection } = watcher;
    leave = transport.follow({ group: groupId }, { connected: () => void load(), event: () => undefined, connection });
  }

  void load();
  return {
    restart: () => {
      shown = null;
      void load();
    },
    close: () => {
      isClosed = true;
      clearTimeout(retry);
      leave?.();
    },
  };
}
