import { visible } from '../../model/ansi';
import { shortId } from '../../model/format';
import { t } from '../../model/messages';
import { MetricSeries } from '../../model/runs/metric-series';
import {
  type ComparisonCell,
  type ComparisonLine,
  type ComparisonSection,
  comparisonToCsv,
  comparisonToMarkdown,
  deltaOf,
  differs,
  isSame,
  sectionsOf,
} from '../../model/runs/run-comparison';
import { ApiError } from '../../model/transport';
import type { RunHandle, RunSeries } from '../../model/types';
import { h, replace, saveAs } from '../dom';
import { isPicture, preview, type ShownPreview } from '../previews/preview';
import { seriesPlot } from '../run/series-plot';
import type { View } from '../view';
import { fileDifferences } from './file-differences';

const NOTHING = '–';
/** Relative differences up to which numbers may count as the same. */
const TOLERANCES = [0, 0.001, 0.01, 0.05];

/** The comparison of runs: arguments, metrics, files and pictures side by side. */
export const compareView: View = (root, { transport, model }) => {
  const ids = (model.get('run_ids') ?? []) as string[];
  const body = h('div', { class: 'rw-compare' }, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
  root.append(body);
  const previews: ShownPreview[] = [];
  let isClosed = false;
  let onlyDifferences = true;
  let tolerance = 0;
  void show();

  async function show(): Promise<void> {
    try {
      const runs = await Promise.all(ids.map((id) => transport.get<RunHandle>(`runs/${id}`)));
      if (!isClosed) draw(runs);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(body, h('div', { class: 'rw-failure', role: 'alert' }, error.message));
    }
  }

  /** Draw some of the runs, compared with one of them. */
  function draw(runs: RunHandle[], heldAgainst = runs[0]): void {
    let base = heldAgainst;
    for (const each of previews.splice(0)) each.close();
    const box = h('input', {
      type: 'checkbox',
      checked: onlyDifferences,
      onchange: () => {
        onlyDifferences = box.checked;
        fill();
      },
    });
    const against = h(
      'select',
      {
        class: 'rw-input',
        onchange: () => {
          base = runs[Number(against.value)];
          fill();
          fillFiles();
        },
      },
      ...runs.map((run, at) => h('option', { value: at, selected: run === base }, shortId(run.id))),
    );
    const within = h(
      'select',
      {
        class: 'rw-input',
        onchange: () => {
          tolerance = Number(within.value);
          fill();
        },
      },
      ...TOLERANCES.map((each) =>
        h('option', { value: each, selected: each === tolerance }, each === 0 ? t('exactly') : `${each * 100} %`),
      ),
    );
    const place = h('div', { class: 'rw-scroll rw-tall', tabindex: 0, role: 'region', 'aria-label': t('comparison') });
    const status = h('span', { class: 'rw-dim', role: 'status' });
    const names = runs.map((run) => shortId(run.id));
    let shown: ComparisonSection[] = [];

    const headOf = (run: RunHandle): HTMLElement =>
      h(
        'th',
        { scope: 'col' },
        h('code', { title: run.id }, shortId(run.id)),
        run === base ? h('span', { class: 'rw-dim' }, ` ${t('baseline')}`) : null,
        runs.length < 3
          ? null
          : h(
              'button',
              {
                type: 'button',
                class: 'rw-untag',
                'aria-label': t('removeRun', { name: shortId(run.id) }),
                onclick: () => leaveOut(run),
              },
              '✕',
            ),
      );
    function leaveOut(run: RunHandle): void {
      const rest = runs.filter((each) => each !== run);
      draw(rest, run === base ? rest[0] : base);
      body.querySelector<HTMLElement>('.rw-untag, .rw-tall')?.focus();
    }
    function drawCell(cell: ComparisonCell, line: ComparisonLine): HTMLElement {
      const held = line.cells[base ? runs.indexOf(base) : 0] as ComparisonCell;
      const delta = isSame(cell, held, tolerance) ? '' : deltaOf(cell, held);
      return h(
        'td',
        { title: visible(cell.text) },
        h('bdi', {}, visible(cell.text)),
        delta ? h('span', { class: 'rw-delta' }, ` ${delta}`) : null,
      );
    }
    function fill(): void {
      shown = sectionsOf(runs)
        .map(({ title, lines }) => ({ title, lines: lines.filter((line) => !box.checked || differs(line, tolerance)) }))
        .filter(({ lines }) => lines.length > 0);
      status.textContent = '';
      replace(
        place,
        shown.length > 0
          ? h(
              'table',
              { class: 'rw-table' },
              h('thead', {}, h('tr', {}, h('td', {}), ...runs.map(headOf))),
              ...shown.map(({ title, lines }) =>
                h(
                  'tbody',
                  {},
                  h('tr', {}, h('th', { colspan: runs.length + 1, scope: 'rowgroup', class: 'rw-heading' }, title)),
                  ...lines.map((line) =>
                    h(
                      'tr',
                      { class: differs(line, tolerance) ? 'rw-differs' : '' },
                      h(
                        'th',
                        { scope: 'row' },
                        differs(line, tolerance) ? h('span', { title: t('differs') }, '≠ ') : null,
                        h('bdi', {}, visible(line.name)),
                      ),
                      ...line.cells.map((cell) => drawCell(cell, line)),
                    ),
                  ),
                ),
              ),
            )
          : h('div', { class: 'rw-dim' }, t('allSame')),
      );
    }
    async function copy(): Promise<void> {
      try {
        await navigator.clipboard.writeText(comparisonToMarkdown(names, shown));
        status.textContent = t('copiedPath');
      } catch {
        status.textContent = t('notCopied');
      }
    }

    const files = h('div', {});
    const fillFiles = (): void => replace(files, base ? fileDifferences(runs, base, transport) : null);
    fill();
    fillFiles();
    const pick = (text: string, input: HTMLElement): HTMLElement => h('label', { class: 'rw-pick' }, text, input);
    const charts = h('section', { class: 'rw-charts', 'aria-label': t('seriesOf') });
    replace(
      body,
      h(
        'div',
        { class: 'rw-tools' },
        h('label', { class: 'rw-choice' }, box, t('onlyDifferences')),
        pick(t('comparedWith'), against),
        pick(t('sameWithin'), within),
        h('button', { type: 'button', class: 'rw-button rw-quiet', onclick: () => void copy() }, t('copyMarkdown')),
        h(
          'button',
          {
            type: 'button',
            class: 'rw-button rw-quiet',
            onclick: () => saveAs(new Blob([comparisonToCsv(names, shown)], { type: 'text/csv' }), 'comparison.csv'),
          },
          t('csv'),
        ),
        status,
      ),
      place,
      files,
      charts,
      pictures(runs),
    );
    void drawSeries(runs, charts);
  }

  /** Draw the series of all runs in common plots. */
  async function drawSeries(runs: readonly RunHandle[], place: HTMLElement): Promise<void> {
    try {
      const all = await Promise.all(
        runs.map(async (run) => {
          const series = new MetricSeries();
          series.read(await transport.get<RunSeries>(`runs/${run.id}/series?limit=1000`));
          return { name: shortId(run.id), series };
        }),
      );
      if (isClosed || !place.isConnected) return;
      const names = [...new Set(all.flatMap(({ series }) => series.names))];
      replace(
        place,
        ...names.map((metric) =>
          seriesPlot(
            metric,
            all.map(({ name, series }) => ({ name, points: series.points(metric) })),
          ),
        ),
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(place, h('div', { class: 'rw-failure', role: 'alert' }, error.message));
    }
  }

  function pictures(runs: RunHandle[]): HTMLElement | null {
    const names = [...new Set(runs.flatMap((run) => (run.files ?? []).filter(isPicture).map((each) => each.name)))];
    if (names.length === 0) return null;
    return h(
      'div',
      {},
      ...names.map((name) =>
        h(
          'section',
          { class: 'rw-section', 'aria-label': visible(name, true) },
          h('h4', {}, h('bdi', {}, visible(name, true))),
          h(
            'div',
            { class: 'rw-side' },
            ...runs.map((run) => {
              const file = run.files?.find((each) => each.name === name);
              const caption = h('figcaption', {}, h('code', {}, shortId(run.id)));
              if (!file) return h('figure', {}, h('span', { class: 'rw-dim' }, NOTHING), caption);
              const shown = preview(file, run, transport);
              previews.push(shown);
              return h('figure', {}, shown.element, caption);
            }),
          ),
        ),
      ),
    );
  }

  return () => {
    isClosed = true;
    for (const each of previews) each.close();
  };
};
