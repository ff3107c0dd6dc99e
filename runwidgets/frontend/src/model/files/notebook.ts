/** The notebook format, and what views read from it. */
import { t } from '../messages';
import type { JsonValue } from '../types';

type Text = string | string[];
export interface NotebookOutput {
  output_type: string;
  name?: string;
  text?: Text;
  data?: { [type: string]: JsonValue };
  ename?: string;
  evalue?: string;
  traceback?: string[];
}
export interface NotebookCell {
  cell_type: string;
  source: Text;
  outputs?: NotebookOutput[];
  execution_count?: number | null;
  metadata?: {
    runwidgets?: {
      status?: string;
      number?: number;
      /** Why the run left it out. */
      leftOut?: string;
    };
    papermill?: { duration?: number | null };
  };
}
export interface Notebook {
  cells: NotebookCell[];
  metadata?: {
    kernelspec?: { name?: string };
    language_info?: { version?: string };
    /** Where it was executed, if that was not on the server's own machine. */
    runwidgets?: { environment?: JsonValue };
  };
}

/** Return the data of an output as text, whatever its type. */
export function joined(given: JsonValue | undefined): string {
  if (Array.isArray(given)) return given.map(String).join('');
  return typeof given === 'string' ? given : given === undefined || given === null ? '' : JSON.stringify(given);
}

/** Return the traceback of an output that is an error, with its colours. */
export const traceOf = (output: NotebookOutput): string => (output.traceback ?? []).join('\n') || raisedIn(output);

/** Return the name of an exception and its text, or the one of them that is there; a status is named as such. */
export const raisedIn = ({ ename = '', evalue = '' }: NotebookOutput): string => {
  if (ename.trim() === '') return /^\d+$/.test(evalue) ? t('exitStatus', { status: evalue }) : evalue;
  return evalue.trim() === '' ? ename : `${ename}: ${evalue}`;
};

/** Return the number of a cell as messages count them: among the executed code cells; null for any other cell. */
export const numberOf = (cell: NotebookCell): number | null => cell.metadata?.runwidgets?.number ?? null;

/** Return the traceback of the last cell that failed, which ended the run, with its colours; null where no cell did. */
export function tracebackOf(notebook: Notebook): string | null {
  const failed = notebook.cells.filter((cell) => cell.metadata?.runwidgets?.status === 'error').at(-1);
  const output = failed?.outputs?.find((each) => each.output_type === 'error');
  return output ? traceOf(output) : null;
}
