import type { Runs, RunsWatcher } from '../model/runs/live-runs';
import type { Transport } from '../model/transport';
import type { JsonValue } from '../model/types';

/** The state that a host keeps for a view: values by name, which can be observed. */
export interface Model {
  get(name: string): JsonValue;
  set(values: { [name: string]: JsonValue }): void;
  /** Call a function on every change of a value; returns a function that ends this. */
  observe(name: string, changed: () => void): () => void;
}

export interface Context {
  transport: Transport;
  model: Model;
  /** The views that this view may open inside itself. */
  inner: InnerViews;
  /** Returns the runs that a table shows, where another view has them already. */
  runs?(watcher: RunsWatcher): Runs;
  /** Shows a run elsewhere than inside the view that started or selected it. */
  open?(runId: string): void;
}

/**
 * Views that others open: those of widgets; `files`, the result files of the `run` of its model; `compare`, the
 * runs of `run_ids` side by side.
 */
export interface InnerViews {
  form: View;
  run: View;
  sweep: View;
  files: View;
  compare: View;
}

/** Fill an element; returns a function that releases everything. */
export type View = (root: HTMLElement, context: Context) => () => void;

/** Make a model for a view inside another view. */
export function innerModel(values: { [name: string]: JsonValue }): Model {
  const observers = new Map<string, Set<() => void>>();
  return {
    get: (name) => values[name] ?? null,
    set(changes) {
      Object.assign(values, changes);
      for (const name of Object.keys(changes)) for (const changed of observers.get(name) ?? []) changed();
    },
    observe(name, changed) {
      const known = observers.get(name) ?? new Set();
      observers.set(name, known.add(changed));
      return () => known.delete(changed);
    },
  };
}
