/** Runs side by side: lines of cells, which of them differ, and by how much. */
import { writeCsv } from '../files/csv';
import { bytes, took, value } from '../format';
import { t } from '../messages';
import type { JsonValue, RunHandle } from '../types';

export interface ComparisonCell {
  text: string;
  /** Equal for equal cells; missing, null and empty are different. */
  key: string;
  /** The value of a number, null otherwise. */
  number: number | null;
}

export interface ComparisonLine {
  name: string;
  cells: ComparisonCell[];
}

export interface ComparisonSection {
  title: string;
  lines: ComparisonLine[];
}

const NOTHING: ComparisonCell = { text: '–', key: '', number: null };

/** Return a value as a cell. */
function cellOf(given: JsonValue | undefined, text?: string): ComparisonCell {
  if (given === undefined) return NOTHING;
  const shown = text ?? (given === '' ? t('emptyText') : value(given));
  return { text: shown, key: JSON.stringify(given), number: typeof given === 'number' ? given : null };
}

/** Return the sections of a comparison: times and state, arguments, metrics and files. */
export function sectionsOf(runs: readonly RunHandle[]): ComparisonSection[] {
  const of = (title: string, cellsOf: (run: RunHandle) => { [name: string]: ComparisonCell }): ComparisonSection => {
    const picked = runs.map(cellsOf);
    const names = [...new Set(picked.flatMap((each) => Object.keys(each)))];
    return { title, lines: names.map((name) => ({ name, cells: picked.map((each) => each[name] ?? NOTHING) })) };
  };
  const each = (values: { [name: string]: JsonValue }): { [name: string]: ComparisonCell } =>
    Object.fromEntries(Object.entries(values).map(([name, given]) => [name, cellOf(given)]));
  const seconds = (run: RunHandle): number | undefined =>
    run.startedAt && run.finishedAt ? (Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1000 : undefined;
  return [
    of(t('run'), (run) => {
      const lasted = seconds(run);
      return {
        [t('state')]: cellOf(t(run.state)),
        [t('started')]: cellOf(run.startedAt, run.startedAt && new Date(run.startedAt).toLocaleString()),
        [t('duration')]: cellOf(lasted, lasted === undefined ? undefined : took(lasted)),
        ...(run.messages?.[0] ? { [t('message')]: cellOf(run.messages[0]) } : {}),
      };
    }),
    of(t('arguments'), (run) => each(Object.fromEntries(run.arguments.map((given) => [given.name, given.value])))),
    of(t('metrics'), (run) => each(run.metrics)),
    of(t('files'), (run) =>
      Object.fromEntries(
        (run.files ?? []).map((file) => [file.name, { text: bytes(file.size), key: file.sha256, number: null }]),
      ),
    ),
  ];
}

/** Say whether two cells are equal; numbers also if they differ by at most a share of the greater one. */
export function isSame(one: ComparisonCell, other: ComparisonCell, tolerance = 0): boolean {
  if (one.key === other.key) return true;
  if (one.number === null || other.number === null) return false;
  return Math.abs(one.number - other.number) <= tolerance * Math.max(Math.abs(one.number), Math.abs(other.number));
}

/** Say whether runs differ in a line. */
export const differs = (line: ComparisonLine, tolerance = 0): boolean =>
  line.cells.some((cell) => !isSame(cell, line.cells[0] as ComparisonCell, tolerance));

/** Return the difference of a number from the baseline; empty if the cells are not both numbers. */
export function deltaOf(cell: ComparisonCell, base: ComparisonCell): string {
  if (cell.number === null || base.number === null || cell.number === base.number) return '';
  const by = cell.number - base.number;
  const ratio = base.number === 0 ? null : cell.number / base.number;
  const short = (number: number): string => value(Number(number.toPrecision(4)));
  return `${by > 0 ? '+' : '−'}${short(Math.abs(by))}${ratio === null || ratio < 0 ? '' : ` (×${short(ratio)})`}`;
}

/** Return lines as a table of Markdown. */
export function comparisonToMarkdown(names: readonly string[], sections: readonly ComparisonSection[]): string {
  const escaped = (text: string): string => text.replace(/[\\|<]/g, '\\$&').replace(/\s+/g, ' ');
  const row = (cells: readonly string[]): string => `| ${cells.map(escaped).join(' | ')} |`;
  const body = sections.flatMap(({ lines }) =>
    lines.map(({ name, cells }) => row([name, ...cells.map(({ text }) => text)])),
  );
  return `${[row(['', ...names]), `|${' --- |'.repeat(names.length + 1)}`, ...body].join('\n')}\n`;
}

/** Return lines as CSV, numbers with all of their digits. */
export function comparisonToCsv(names: readonly string[], sections: readonly ComparisonSection[]): string {
  const full = (cell: ComparisonCell): string =>
    cell === NOTHING ? '' : cell.number === null ? cell.text : JSON.stringify(cell.number);
  const rows = sections.flatMap(({ title, lines }) =>
    lines.map(({ name, cells }) => [title, name, ...cells.map(full)]),
  );
  return writeCsv([['', '', ...names], ...rows]);
}
