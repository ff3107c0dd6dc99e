import { visible } from '../../model/ansi';
import { shortId } from '../../model/format';
import { t } from '../../model/messages';
import { LiveRuns, type RunsWatcher } from '../../model/runs/live-runs';
import type { RunRow } from '../../model/runs/run-rows';
import { label } from '../../model/sweep/axes';
import { makeGrid } from '../../model/sweep/heat-map';
import { bestOf, describePoint, mostVaried } from '../../model/sweep/sweep-summary';
import { ApiError } from '../../model/transport';
import type { JsonValue, Objective, StateCounts, SweepHandle } from '../../model/types';
import { detailPanel } from '../detail-panel';
import { h, replace } from '../dom';
import { tableView } from '../table/table-view';
import { innerModel, type View } from '../view';
import { drawFailures } from './failures';
import { drawFront } from './front-plot';
import { focusCell, heatMapTable } from './heat-map';
import { drawSelectors } from './plot-selectors';
import { plotSettings } from './plot-settings';
import { sweepActions } from './sweep-actions';
import { plot } from './sweep-plot';
import { STATES, sweepProgress } from './sweep-progress';

/** The live view of a sweep: progress, heat map, plot, best run, failures, and the table of all runs. */
export const sweepView: View = (root, { transport, model, inner, open: openElsewhere }) => {
  let live: LiveRuns | null = null;
  let sweep: SweepHandle | null = null;
  let closeTable: (() => void) | null = null;
  let drawing: ReturnType<typeof setTimeout> | undefined;
  let rested = 0;
  let isPressed = false;
  const watchers = new Set<RunsWatcher>();

  const name = h('span', { class: 'rw-title' });
  const progress = sweepProgress(() => Date.now() + transport.clockAhead);
  const notice = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const actions = sweepActions({ transport, attempt, changed: take, deleted: gone });
  const best = h('div', { class: 'rw-bestline', hidden: true });
  const failures = h('details', { class: 'rw-section', hidden: true });
  const tools = h('div', { class: 'rw-tools', hidden: true });
  const gridScroll = h('div', { class: 'rw-scroll', tabindex: 0, role: 'region', 'aria-label': t('heatMapOf') });
  const gridNote = h('div', { class: 'rw-dim', hidden: true });
  const heatMapSection = h('section', { class: 'rw-section', 'aria-label': t('heatMapOf') }, gridScroll, gridNote);
  const plotSection = h('section', { class: 'rw-section', 'aria-label': t('plotOf') });
  const frontSection = h('section', { class: 'rw-section', hidden: true });
  const detail = detailPanel();
  const tableBody = h('div', {});
  const table = h('details', { class: 'rw-section', open: true }, h('summary', {}, t('runs')), tableBody);
  const parts = [
    h('div', { class: 'rw-head' }, name, progress.elapsed),
    progress.bar,
    progress.tally,
    notice,
    actions.element,
    best,
    failures,
    frontSection,
    tools,
    heatMapSection,
    plotSection,
    detail.element,
    table,
  ];
  const card = h('div', { class: 'rw-card rw-sweep' });
  const shownTable = innerModel({ selected: model.get('selected'), read_only: model.get('read_only') });
  root.append(card);

  const objectives = (): readonly Objective[] => sweep?.config.search?.objectives ?? [];
  const settings = plotSettings(model, () => live?.rows ?? [], objectives);
  const say = (text: string, isBad = false): void => {
    notice.hidden = text === '';
    notice.className = `rw-notice ${isBad ? 'rw-bad' : ''}`;
    notice.textContent = text;
  };

  // -- data ------------------------------------------------------------------------------------------

  /** Show a sweep that the server returned, unless another one is shown by then. */
  function take(given: SweepHandle): void {
    if (given.id !== model.get('sweep_id') || closeTable === null) return;
    sweep = given;
    draw();
  }

  async function load(): Promise<void> {
    const id = String(model.get('sweep_id') ?? '');
    try {
      take(await transport.get<SweepHandle>(`sweeps/${id}`));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (id !== model.get('sweep_id')) return;
      if (error.status === 404) gone();
      else say(error.message, true);
    }
  }

  function letGo(): void {
    progress.close();
    clearTimeout(drawing);
    drawing = undefined;
    live?.close();
    closeTable?.();
    closeTable = null;
    detail.close();
  }

  function gone(): void {
    letGo();
    sweep = null;
    replace(card, h('div', { class: 'rw-dim', role: 'status' }, t('noSuchSweep')));
  }

  function watch(): void {
    letGo();
    sweep = null;
    settings.fixed.clear();
    actions.reset();
    replace(card, ...parts);
    live = new LiveRuns(
      transport,
      { sweep: String(model.get('sweep_id') ?? '') },
      {
        changed: () => {
          if (live?.isComplete && live.rows.length === 0) void load(); // reports whether it still exists
          draw();
          for (const each of [...watchers]) each.changed();
        },
        connection: (connection) => {
          card.classList.toggle('rw-stale', !connection.isLive);
          say(connection.isLive ? '' : t('stale', { time: connection.since.toLocaleTimeString() }));
          for (const each of [...watchers]) each.connection(connection);
        },
        failed: (error) => (error.status === 404 ? gone() : say(error.message, true)),
        paused: (isPaused) => {
          if (!sweep) return;
          sweep = { ...sweep, isPaused };
          draw();
        },
      },
    );
    const shared = live;
    closeTable = tableView(tableBody, {
      transport,
      inner,
      open,
      model: {
        ...shownTable,
        set: (values) => {
          shownTable.set(values);
          if (!('selected' in values)) return;
          model.set({ selected: values.selected ?? [] });
          rested = 0; // at once
          draw();
        },
      },
      runs: (watcher) => {
        watchers.add(watcher);
        return {
          get rows() {
            return shared.rows;
          },
          get isComplete() {
            return shared.isComplete;
          },
          get: (run) => shared.get(run),
          close: () => watchers.delete(watcher),
        };
      },
    });
    void load();
  }

  // -- drawing ---------------------------------------------------------------------------------------

  function draw(): void {
    const rows = live?.rows ?? [];
    if (!sweep) return;
    name.textContent = visible(sweep.name, true);
    const isWhole = live?.isComplete ?? false; // until then the counts of the server are better
    const counted = STATES.map((state) => [state, rows.filter((row) => row.state === state).length]);
    const counts = isWhole ? (Object.fromEntries(counted) as StateCounts) : sweep.counts;
    const total = isWhole ? rows.length : sweep.total;
    progress.draw(sweep, rows, counts, total);
    actions.draw(sweep, counts, total, String(model.get('read_only') || ''));
    const varied = mostVaried(rows, [...new Set(rows.flatMap((row) => Object.keys(row.arguments)))]);
    drawSelectors(tools, settings, rows, varied, (values) => {
      model.set(values);
      rested = 0; // at once
      draw();
    });
    drawBest(rows, varied);
    drawFailures(failures, rows, varied, open);
    if (live?.isComplete) drawing ??= setTimeout(() => drawLarge(varied), Math.max(0, rested - performance.now()));
    model.set({ value: counts as unknown as JsonValue });
  }

  /** Draw the expensive parts; then wait for longer than that took, so that the page stays responsive. */
  function drawLarge(varied: readonly string[]): void {
    drawing = undefined;
    if (isPressed) {
      // an element that is replaced during a click does not receive it
      drawing = setTimeout(() => drawLarge(varied), 100);
      return;
    }
    const begun = performance.now();
    drawFront(frontSection, {
      rows: live?.rows ?? [],
      objectives: objectives(),
      varied,
      isLog: settings.isLog(),
      open,
    });
    drawGrid(live?.rows ?? [], varied);
    drawPlot(live?.rows ?? [], varied);
    rested = performance.now() + Math.max(250, 5 * (performance.now() - begun));
  }

  /** Send a request; an error is shown. */
  async function attempt(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
      say('');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(error.message, true);
    }
  }

  function drawBest(rows: readonly RunRow[], varied: readonly string[]): void {
    const metric = settings.metric();
    const row = metric && objectives().length < 2 ? bestOf(rows, metric, settings.direction()) : null;
    best.hidden = row === null;
    const key = row ? [row.id, metric, ...varied].join(' ') : '';
    if (!row || best.dataset.key === key) return;
    best.dataset.key = key;
    replace(
      best,
      h(
        'span',
        {},
        t('bestOf', {
          metric: visible(metric, true),
          value: label(row.metrics[metric] ?? null),
          where: describePoint(row, varied),
        }),
      ),
      h('button', { type: 'button', class: 'rw-button', onclick: () => open(row.id) }, t('openBest')),
    );
  }

  function drawGrid(rows: readonly RunRow[], varied: readonly string[]): void {
    heatMapSection.hidden = varied.length === 0;
    if (varied.length === 0) return;
    const [down, across] = [settings.down(varied), settings.across(varied)];
    const grid = makeGrid(rows, down, across, settings.fixed);
    const focused = root.ownerDocument.activeElement;
    const at = focused && gridScroll.contains(focused) ? (focused as HTMLElement).dataset.at : undefined;
    replace(
      gridScroll,
      heatMapTable({
        grid,
        runs: rows,
        down,
        across,
        varied,
        metric: settings.shows() === 'metric' ? settings.metric() : '',
        direction: settings.direction(),
        open,
      }),
    );
    if (at !== undefined) focusCell(gridScroll, at);
    gridNote.hidden = grid.leftOut === 0;
    gridNote.textContent = t('gridCut', { n: grid.leftOut });
  }

  function drawPlot(rows: readonly RunRow[], varied: readonly string[]): void {
    const metric = settings.metric();
    plotSection.hidden = metric === '' || varied.length === 0;
    if (plotSection.hidden) return;
    replace(
      plotSection,
      plot({
        rows,
        varied,
        metric,
        direction: settings.direction(),
        isLog: settings.isLog(),
        selected: selected(),
        open,
        choose,
      }),
    );
  }

  const selected = (): Set<string> => new Set((model.get('selected') ?? []) as string[]);

  function choose(ids: readonly string[], isNarrowing: boolean): void {
    const known = selected();
    rested = 0; // at once
    model.set({ selected: isNarrowing && known.size > 0 ? ids.filter((id) => known.has(id)) : [...ids] });
  }

  function open(id: string): void {
    if (openElsewhere) {
      openElsewhere(id);
      return;
    }
    detail.show(t('openRun', { name: shortId(id) }), (place) =>
      inner.run(place, { transport, inner, model: innerModel({ run_id: id, read_only: model.get('read_only') }) }),
    );
  }

  // The selectors are redrawn only when none of them has the focus.
  tools.addEventListener('focusout', (event) => {
    if (!tools.contains(event.relatedTarget as Node | null))
      setTimeout(() => {
        if (closeTable) draw();
      });
  });
  const release = (): void => {
    isPressed = false;
  };
  for (const place of [frontSection, heatMapSection, plotSection])
    place.addEventListener('pointerdown', () => {
      isPressed = true;
    });
  document.addEventListener('pointerup', release);
  document.addEventListener('pointercancel', release);
  const stops = [
    model.observe('sweep_id', watch),
    ...['metric', 'direction', 'shows', 'down', 'across', 'is_log'].map((trait) => model.observe(trait, draw)),
    model.observe('selected', () => {
      if (JSON.stringify(model.get('selected')) !== JSON.stringify(shownTable.get('selected')))
        shownTable.set({ selected: model.get('selected') });
      draw();
    }),
  ];
  watch();
  return () => {
    for (const stop of stops) stop();
    document.removeEventListener('pointerup', release);
    document.removeEventListener('pointercancel', release);
    letGo();
  };
};
