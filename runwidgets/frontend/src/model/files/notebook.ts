/** Notebooks as they are stored, and what is read from them. */
import type { Json } from '../types';

type Text = string | string[];
export interface Output {
  output_type: string;
  name?: string;
  text?: Text;
  data?: { [type: string]: Json };
  ename?: string;
  evalue?: string;
  traceback?: string[];
}
export interface Cell {
  cell_type: string;
  source: Text;
  outputs?: Output[];
  execution_count?: number | null;
  metadata?: { runwidgets?: { status?: string }; papermill?: { duration?: number | null } };
}
export interface Notebook {
  cells: Cell[];
  metadata?: {
    kernelspec?: { name?: string };
    language_info?: { version?: string };
    /** Where it was executed, if that was not on the server's own machine. */
    runwidgets?: { environment?: Json };
  };
}

/** Return what a notebook holds for a type as text; whatever stands there in earnest is shown. */
export function joined(given: Json | undefined): string {
  if (Array.isArray(given)) return given.map(String).join('');
  return typeof given === 'string' ? given : given === undefined || given === null ? '' : JSON.stringify(given);
}

/** Return the traceback of an output that is an error, with its colours. */
export const traceOf = (output: Output): string =>
  (output.traceback ?? []).join('\n') || `${output.ename ?? ''}: ${output.evalue ?? ''}`;

/** Return the traceback of the cell that failed, with its colours; null where no cell did. */
export function tracebackOf(notebook: Notebook): string | null {
  const failed = notebook.cells.find((cell) => cell.metadata?.runwidgets?.status === 'error');
  const output = failed?.outputs?.find((each) => each.output_type === 'error');
  return output ? traceOf(output) : null;
}
