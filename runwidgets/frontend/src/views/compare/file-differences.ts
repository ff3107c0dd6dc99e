import { visible } from '../../model/ansi';
import { columnsApart, type Hunk, hunksOf, notebookLines, type Shape } from '../../model/files/file-differences';
import type { Notebook } from '../../model/files/notebook';
import { bytes, shortId } from '../../model/format';
import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { PartialFileHandle, RunHandle } from '../../model/types';
import { h, replace } from '../dom';
import { executedFile, executedPath, isPicture, NOTEBOOK_TYPE, pathOf, WHOLE_LIMIT } from '../previews/preview';
import { isTable, readTable } from '../previews/table';
import { readText, TEXT_LIMIT } from '../previews/text';

const LINES_AT_ONCE = 300;

/** A file of a run, and where its content is. */
interface Held {
  run: RunHandle;
  file: PartialFileHandle;
  path: string;
}

/** Return the files of a run by name, without pictures, which are shown side by side. */
function leftBy(run: RunHandle): [string, Held][] {
  const files = (run.files ?? []).filter((file) => !isPicture(file) && file.name !== run.notebook);
  const left = files.map((file): [string, Held] => [visible(file.name, true), { run, file, path: pathOf(file, run) }]);
  return [...left, [t('executedNotebook'), { run, file: executedFile(), path: executedPath(run) }]];
}

/** Say whether two files are the same; executed notebooks must be read to know. */
const isSame = ({ file }: Held, other: Held): boolean => file.sha256 !== undefined && file.sha256 === other.file.sha256;

/** Return the files that differ between runs, by name; that of the baseline comes first. */
function apart(runs: readonly RunHandle[], base: RunHandle): [string, Held[]][] {
  const byName = new Map<string, Held[]>();
  for (const run of [base, ...runs.filter((each) => each !== base)]) {
    for (const [name, held] of leftBy(run)) byName.set(name, [...(byName.get(name) ?? []), held]);
  }
  return [...byName].filter(([, [first, ...others]]) => first && others.some((other) => !isSame(first, other)));
}

/** The files that differ, each with its difference from that of the baseline. */
export function fileDifferences(runs: readonly RunHandle[], base: RunHandle, transport: Transport): HTMLElement | null {
  const files = apart(runs, base);
  if (files.length === 0) return null;
  return h(
    'section',
    { class: 'rw-section', 'aria-label': t('filesApart') },
    h('h4', {}, t('filesApart')),
    ...files.map(([name, held]) => {
      const place = h('div', {});
      const element = h(
        'details',
        {
          class: 'rw-apart',
          ontoggle: () => {
            if (element.open && !place.hasChildNodes()) void fill(place, held, transport);
          },
        },
        h('summary', {}, h('bdi', {}, name)),
        place,
      );
      return element;
    }),
  );
}

async function fill(place: HTMLElement, [base, ...others]: Held[], transport: Transport): Promise<void> {
  if (!base) return;
  replace(place, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
  try {
    const held = await read(base, transport);
    const shown = await Promise.all(
      others
        .filter((other) => !isSame(base, other))
        .map(async (other) =>
          h(
            'div',
            {},
            h('h5', {}, t('fileAgainst', { name: shortId(other.run.id), base: shortId(base.run.id) })),
            ...draw(held, await read(other, transport)),
          ),
        ),
    );
    replace(place, ...shown);
  } catch (error) {
    replace(
      place,
      h('div', { class: 'rw-failure', role: 'alert' }, t('notShown', { problem: (error as Error).message })),
    );
  }
}

interface Content {
  size: number;
  /** Null if it cannot be read as lines. */
  text: string | null;
  isWhole: boolean;
  shape: Shape | null;
}

async function read({ file, path }: Held, transport: Transport): Promise<Content> {
  const isNotebook = file.mimeType === NOTEBOOK_TYPE;
  const { text, isWhole } = await readText(path, transport, isNotebook ? WHOLE_LIMIT : TEXT_LIMIT);
  const content = { size: file.size, text, isWhole, shape: null };
  if (text === null) return content;
  if (isNotebook && isWhole) return { ...content, text: notebookLines(JSON.parse(text) as Notebook) };
  if (!isTable(file)) return content;
  const { head, rows } = readTable(text, file.mimeType, isWhole);
  return { ...content, shape: { rows: rows.length, columns: head } };
}

function draw(base: Content, other: Content): (HTMLElement | null)[] {
  const note = (words: string): HTMLElement => h('div', { class: 'rw-dim' }, words);
  if (base.text === null || other.text === null)
    return [note(t('bytesApart', { size: bytes(other.size), base: bytes(base.size) }))];
  const hunks = hunksOf(base.text, other.text);
  return [
    base.shape && other.shape ? note(shapeApart(base.shape, other.shape)) : null,
    base.isWhole && other.isWhole ? null : note(t('beginningsApart', { size: bytes(TEXT_LIMIT) })),
    hunks === null ? note(t('tooDifferent')) : hunks.length === 0 ? note(t('sameLines')) : drawHunks(hunks),
  ];
}

function shapeApart(base: Shape, other: Shape): string {
  const { more, less } = columnsApart(base, other);
  const named = (names: readonly string[]): string => names.map((name) => visible(name, true)).join(', ');
  return [
    t('shapeOf', {
      rows: other.rows.toLocaleString('en'),
      columns: other.columns.length,
      oldRows: base.rows.toLocaleString('en'),
      oldColumns: base.columns.length,
    }),
    more.length ? t('columnsMore', { names: named(more) }) : '',
    less.length ? t('columnsLess', { names: named(less) }) : '',
  ]
    .filter((each) => each !== '')
    .join('; ');
}

const SIGNS = { same: ' ', added: '+', removed: '-' };

function drawHunks(hunks: readonly Hunk[]): HTMLElement {
  const lines = hunks.flatMap(({ place, changes }) => [
    h('span', { class: 'rw-place' }, place),
    ...changes.map(({ kind, text }) =>
      h('span', { class: `rw-line rw-${kind}` }, `${SIGNS[kind]} ${visible(text, true)}`),
    ),
  ]);
  const code = h('pre', { class: 'rw-text rw-diff', tabindex: 0, role: 'region', 'aria-label': t('linesApart') });
  const more = h('button', { type: 'button', class: 'rw-button', onclick: showMore }, t('showMore'));
  function showMore(): void {
    code.append(...lines.splice(0, LINES_AT_ONCE));
    more.hidden = lines.length === 0;
  }
  showMore();
  return h('div', {}, code, more);
}
