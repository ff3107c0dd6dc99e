import { h, replace } from '../dom';
import { SeriesOfRun, type SeriesAnswer } from '../series';
import { took, t, value } from '../text';
import type { Json, Run } from '../types';
import { ApiError } from '../transport/transport';
import { isPicture, preview, type Shown } from './previews';
import { seriesPlot } from './series';
import type { View } from './view';

interface Line {
  name: string;
  cells: (string | null)[];
}

interface Section {
  title: string;
  lines: Line[];
}

const NOTHING = '–';

/** Return what runs have, side by side; null where a run has nothing. */
export function sectionsOf(runs: readonly Run[]): Section[] {
  const of = (title: string, pick: (run: Run) => { [name: string]: Json }): Section => {
    const picked = runs.map(pick);
    const names = [...new Set(picked.flatMap((each) => Object.keys(each)))];
    const shown = (each: { [name: string]: Json }, name: string): string | null =>
      name in each ? value(each[name] ?? null) : null;
    return { title, lines: names.map((name) => ({ name, cells: picked.map((each) => shown(each, name)) })) };
  };
  const run = (each: Run): { [name: string]: Json } => ({
    [t('state')]: t(each.state),
    [t('started')]: each.startedAt ? new Date(each.startedAt).toLocaleString() : null,
    [t('duration')]: each.startedAt && each.finishedAt
      ? took((Date.parse(each.finishedAt) - Date.parse(each.startedAt)) / 1000) : null,
    ...(each.messages?.[0] ? { [t('message')]: each.messages[0] } : {}),
  });
  return [
    of(t('run'), run),
    of(t('arguments'), (each) => Object.fromEntries(each.arguments.map((given) => [given.name, given.value]))),
    of(t('metrics'), (each) => each.metrics ?? {}),
  ];
}

/** Say whether runs differ in a line. */
export const differs = (line: Line): boolean => line.cells.some((cell) => cell !== line.cells[0]);

/** Runs next to each other: what they were given, what they measured, and their pictures. */
export const compareView: View = (root, { transport, model }) => {
  const ids = (model.get('run_ids') ?? []) as string[];
  const body = h('div', { class: 'rw-compare' }, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
  root.append(body);
  const previews: Shown[] = [];
  let isClosed = false;
  void show();

  async function show(): Promise<void> {
    try {
      const runs = await Promise.all(ids.map((id) => transport.get<Run>(`runs/${id}`)));
      if (!isClosed) draw(runs);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(body, h('div', { class: 'rw-failure', role: 'alert' }, error.message));
    }
  }

  function draw(runs: Run[]): void {
    const box = h('input', { type: 'checkbox', checked: true, onchange: () => fill() });
    const place = h('div', { class: 'rw-scroll rw-tall', tabindex: 0, role: 'region', 'aria-label': t('comparison') });
    const names = runs.map((run) => h('th', { scope: 'col' }, h('code', {}, run.id.slice(0, 8))));

    function fill(): void {
      const bodies = sectionsOf(runs).map(({ title, lines }) => {
        const shown = lines.filter((line) => !box.checked || differs(line));
        return shown.length === 0 ? null : h('tbody', {},
          h('tr', {}, h('th', { colspan: runs.length + 1, scope: 'rowgroup', class: 'rw-part' }, title)),
          ...shown.map((line) => h('tr', { class: differs(line) ? 'rw-differs' : '' },
            h('th', { scope: 'row' }, differs(line) ? h('span', { title: t('differs') }, '≠ ') : null, line.name),
            ...line.cells.map((cell) => h('td', { title: cell ?? '' }, cell ?? NOTHING)))));
      });
      replace(place, bodies.some((each) => each !== null)
        ? h('table', { class: 'rw-table' }, h('thead', {}, h('tr', {}, h('td', {}), ...names)), ...bodies)
        : h('div', { class: 'rw-dim' }, t('allSame')));
    }

    fill();
    const charts = h('section', { class: 'rw-charts', 'aria-label': t('seriesOf') });
    replace(body, h('label', { class: 'rw-choice' }, box, t('onlyDifferences')), place, charts, pictures(runs));
    void drawSeries(runs, charts);
  }

  /** Draw the series of all runs over each other. */
  async function drawSeries(runs: readonly Run[], place: HTMLElement): Promise<void> {
    try {
      const all = await Promise.all(runs.map(async (run) => {
        const series = new SeriesOfRun();
        series.read(await transport.get<SeriesAnswer>(`runs/${run.id}/series?limit=1000`));
        return { name: run.id.slice(0, 8), series };
      }));
      if (isClosed) return;
      const names = [...new Set(all.flatMap(({ series }) => series.names))];
      replace(place, ...names.map((metric) => seriesPlot(metric, all.map(({ name, series }) => ({ name, points: series.points(metric) })))));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(place, h('div', { class: 'rw-failure', role: 'alert' }, error.message));
    }
  }

  function pictures(runs: Run[]): HTMLElement | null {
    const names = [...new Set(runs.flatMap((run) => (run.files ?? []).filter(isPicture).map((each) => each.name)))];
    if (names.length === 0) return null;
    return h('div', {}, ...names.map((name) => h('section', { class: 'rw-section', 'aria-label': name },
      h('h4', {}, name), h('div', { class: 'rw-side' }, ...runs.map((run) => {
        const file = run.files?.find((each) => each.name === name);
        const caption = h('figcaption', {}, h('code', {}, run.id.slice(0, 8)));
        if (!file) return h('figure', {}, h('span', { class: 'rw-dim' }, NOTHING), caption);
        const shown = preview(file, run, transport);
        previews.push(shown);
        return h('figure', {}, shown.element, caption);
      })))));
  }

  return () => {
    isClosed = true;
    for (const each of previews) each.close();
  };
};
