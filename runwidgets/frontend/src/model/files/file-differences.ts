/** How two files of the same name differ, line by line. */

import { structuredPatch } from 'diff';
import type { JsonValue } from '../types';
import { joined, type Notebook, type NotebookOutput, numberOf, raisedIn } from './notebook';

const CONTEXT = 3;
/** The number of removed and added lines above which two texts are not compared line by line. */
const MOST_CHANGED = 1000;

export interface Change {
  kind: 'same' | 'added' | 'removed';
  text: string;
}

export interface Hunk {
  /** Where it begins and how many lines it has, in one and in the other, as in `diff -u`. */
  place: string;
  changes: Change[];
}

const KINDS: { [sign: string]: Change['kind'] } = { ' ': 'same', '+': 'added', '-': 'removed' };

/** Return the hunks of the difference between two texts; null if they are too different. */
export function hunksOf(one: string, other: string): Hunk[] | null {
  const patch = structuredPatch('', '', one, other, '', '', {
    context: CONTEXT,
    stripTrailingCr: true,
    maxEditLength: MOST_CHANGED,
  });
  if (!patch) return null;
  return patch.hunks.map(({ oldStart, oldLines, newStart, newLines, lines }) => ({
    place: `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
    // A line that begins with a backslash says that the last line has no line end.
    changes: lines
      .filter((line) => !line.startsWith('\\'))
      .map((line) => ({ kind: KINDS[line.charAt(0)] ?? 'same', text: line.slice(1) })),
  }));
}

/** Return a checksum that distinguishes long contents (**Source:** FNV-1a, 32 bits). */
function sumOf(text: string): string {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, '0');
}

function linesOf(output: NotebookOutput): string[] {
  if (output.output_type === 'stream') return [`[${output.name ?? 'stream'}]`, joined(output.text)];
  if (output.output_type === 'error') return ['[error]', raisedIn(output)];
  return Object.entries(output.data ?? {}).flatMap(([type, content]) => {
    const text = joined(content);
    const isRead = type.startsWith('text/') && type !== 'text/html';
    return isRead
      ? [`[${type}]`, text]
      : [`[${type}] ${text.length.toLocaleString('en')} characters, sum ${sumOf(text)}`];
  });
}

/** Return facts about where a notebook was executed, a line each. */
function factsOf(facts: JsonValue | undefined, name: string): string[] {
  if (facts === null || facts === undefined) return [];
  if (typeof facts !== 'object' || Array.isArray(facts)) return [`${name}: ${joined(facts)}`];
  return Object.entries(facts).flatMap(([key, value]) => factsOf(value, `${name}.${key}`));
}

/** Return a notebook as lines that can be compared: where it was executed, its cells and their outputs. */
export function notebookLines({ cells, metadata }: Notebook): string {
  const about = [
    ...factsOf(metadata?.kernelspec?.name, 'kernel'),
    ...factsOf(metadata?.language_info?.version, 'language.version'),
    ...factsOf(metadata?.runwidgets?.environment, 'environment'),
  ];
  const body = cells.flatMap((cell) => [
    `── ${cell.cell_type} cell ${numberOf(cell) ?? ''}`.trimEnd(),
    joined(cell.source),
    ...(cell.outputs ?? []).flatMap(linesOf),
  ]);
  return [...about, ...body].map((line) => `${line.replace(/\n$/, '')}\n`).join('');
}

export interface Shape {
  rows: number;
  columns: string[];
}

/** Return which columns a table has and another lacks, and vice versa. */
export function columnsApart(base: Shape, other: Shape): { more: string[]; less: string[] } {
  return {
    more: other.columns.filter((name) => !base.columns.includes(name)),
    less: base.columns.filter((name) => !other.columns.includes(name)),
  };
}
