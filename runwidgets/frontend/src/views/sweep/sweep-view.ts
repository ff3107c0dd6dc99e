import { visible } from '../../model/ansi';
import { clock, shortId } from '../../model/format';
import { t } from '../../model/messages';
import { LiveRuns, type RunsWatcher } from '../../model/runs/live-runs';
import type { RunRow } from '../../model/runs/run-rows';
import { isActive, STATE_SIGNS } from '../../model/states';
import { type Direction, label } from '../../model/sweep/axes';
import { makeGrid } from '../../model/sweep/heat-map';
import { begunAt, bestOf, describePoint, estimate, mostVaried, numericMetrics } from '../../model/sweep/sweep-summary';
import { ApiError } from '../../model/transport';
import type { JsonValue, StateName, SweepHandle } from '../../model/types';
import { h, replace } from '../dom';
import { askingButton } from '../question';
import { typedFor } from '../table/bulk-actions';
import { tableView } from '../table/table-view';
import { innerModel, type View } from '../view';
import { drawFailures } from './failures';
import { focusCell, heatMapTable } from './heat-map';
import { plot } from './sweep-plot';

const STATES: StateName[] = ['SUCCESS', 'ERROR', 'CANCELED', 'RUNNING', 'PENDING'];

/** The live view of a sweep: progress, heat map, plot, best run, failures, and the table of all runs. */
export const sweepView: View = (root, { transport, model, inner, open: openElsewhere }) => {
  let live: LiveRuns | null = null;
  let sweep: SweepHandle | null = null;
  let closeDetail: (() => void) | null = null;
  let closeTable: (() => void) | null = null;
  let ticking: ReturnType<typeof setInterval> | undefined;
  let drawing: ReturnType<typeof setTimeout> | undefined;
  let rested = 0;
  let isPressed = false;
  let choices = '';
  const watchers = new Set<RunsWatcher>();
  const fixed = new Map<string, string>();

  const name = h('span', { class: 'rw-title' });
  const elapsed = h('span', { class: 'rw-elapsed' });
  const bar = h('div', { class: 'rw-stack', role: 'img' });
  const words = h('div', { class: 'rw-tally', role: 'status' });
  const notice = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const actions = h('div', { class: 'rw-actions' });
  const pauser = h('button', {
    type: 'button',
    class: 'rw-button',
    onclick: () => void post('pause', { paused: !sweep?.isPaused }),
  });
  const best = h('div', { class: 'rw-bestline', hidden: true });
  const failures = h('details', { class: 'rw-section', hidden: true });
  const tools = h('div', { class: 'rw-tools', hidden: true });
  const gridScroll = h('div', { class: 'rw-scroll', tabindex: 0, role: 'region', 'aria-label': t('heatMapOf') });
  const gridNote = h('div', { class: 'rw-dim', hidden: true });
  const heatMapSection = h('section', { class: 'rw-section', 'aria-label': t('heatMapOf') }, gridScroll, gridNote);
  const plotSection = h('section', { class: 'rw-section', 'aria-label': t('plotOf') });
  const detail = h('section', { class: 'rw-detail', hidden: true });
  const tableBody = h('div', {});
  const table = h('details', { class: 'rw-section', open: true }, h('summary', {}, t('runs')), tableBody);
  const parts = [
    h('div', { class: 'rw-head' }, name, elapsed),
    bar,
    words,
    notice,
    actions,
    best,
    failures,
    tools,
    heatMapSection,
    plotSection,
    detail,
    table,
  ];
  const card = h('div', { class: 'rw-card rw-sweep' });
  const shownTable = innerModel({ selected: model.get('selected'), read_only: model.get('read_only') });
  root.append(card);

  const metricOf = (): string => {
    const names = numericMetrics(live?.rows ?? []);
    const wanted = String(model.get('metric') ?? '');
    return names.includes(wanted) ? wanted : (names[0] ?? '');
  };
  const direction = (): Direction => (model.get('direction') === 'maximize' ? 'maximize' : 'minimize');

  function select(
    text: string,
    options: [string, string][],
    chosen: string,
    change: (value: string) => void,
  ): HTMLElement {
    const box = h(
      'select',
      { class: 'rw-input', onchange: () => change(box.value) },
      ...options.map(([value, shown]) => h('option', { value, selected: value === chosen }, visible(shown, true))),
    );
    return h('label', { class: 'rw-pick' }, visible(text, true), box);
  }

  const say = (text: string, isBad = false): void => {
    notice.hidden = text === '';
    notice.className = `rw-notice ${isBad ? 'rw-bad' : ''}`;
    notice.textContent = text;
  };

  // -- data ------------------------------------------------------------------------------------------

  /** Fetch and show the sweep, unless another one is shown meanwhile. */
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
    clearInterval(ticking);
    clearTimeout(drawing);
    drawing = undefined;
    live?.close();
    closeTable?.();
    closeTable = null;
    close();
  }

  function gone(): void {
    letGo();
    sweep = null;
    replace(card, h('div', { class: 'rw-dim', role: 'status' }, t('noSuchSweep')));
  }

  function watch(): void {
    letGo();
    sweep = null;
    fixed.clear();
    replace(card, ...parts);
    live = new LiveRuns(
      transport,
      { sweep: String(model.get('sweep_id') ?? '') },
      {
        changed: () => {
          if (live?.isComplete && live.rows.length === 0) void load(); // tells whether it still exists
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
    const counts = isWhole
      ? (Object.fromEntries(STATES.map((state) => [state, rows.filter((row) => row.state === state).length])) as Record<
          StateName,
          number
        >)
      : sweep.counts;
    const total = isWhole ? rows.length : sweep.total;
    drawProgress(rows, counts, total);
    drawActions(counts, total);
    const varied = mostVaried(rows, [...new Set(rows.flatMap((row) => Object.keys(row.arguments)))]);
    drawTools(rows, varied);
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
    drawGrid(live?.rows ?? [], varied);
    drawPlot(live?.rows ?? [], varied);
    rested = performance.now() + Math.max(250, 5 * (performance.now() - begun));
  }

  function drawProgress(rows: readonly RunRow[], counts: Record<StateName, number>, total: number): void {
    const done = total - counts.PENDING - counts.RUNNING;
    const present = STATES.filter((state) => counts[state] > 0);
    replace(
      bar,
      ...present.map((state) =>
        h('span', {
          class: `rw-part-of rw-of-${state.toLowerCase()}`,
          style: `width: ${(100 * counts[state]) / Math.max(1, total)}%`,
        }),
      ),
    );
    const said = present.map(
      (state) => `${STATE_SIGNS[state]}\u00a0${counts[state].toLocaleString('en')}\u00a0${t(state).toLowerCase()}`,
    );
    bar.setAttribute('aria-label', [t('doneOf', { n: done, all: total }), ...said].join(', '));
    const isPaused = (sweep?.isPaused ?? false) && counts.PENDING > 0;
    const left = isPaused ? null : estimate(rows, sweep?.createdAt ?? '', Date.now() + transport.clockAhead);
    const line = [
      t('doneOf', { n: done.toLocaleString('en'), all: total.toLocaleString('en') }),
      ...said,
      isPaused ? t('isPaused') : '',
      left ? t('leftOf', { time: clock(left.seconds), n: left.basis }) : '',
    ]
      .filter((each) => each !== '')
      .join(' · ');
    if (words.textContent !== line) words.textContent = line;
    tick();
    clearInterval(ticking);
    if (counts.PENDING + counts.RUNNING > 0) ticking = setInterval(tick, 1000);
  }

  function tick(): void {
    const rows = live?.rows ?? [];
    const begun = begunAt(rows, sweep?.createdAt ?? '');
    const isOpen = rows.some((row) => isActive(row.state));
    const end = isOpen
      ? Date.now() + transport.clockAhead
      : rows.reduce((latest, row) => Math.max(latest, Date.parse(row.finishedAt ?? '') || 0), 0);
    elapsed.textContent = begun === null ? '' : clock((end - begun) / 1000);
  }

  function drawActions(counts: Record<StateName, number>, total: number): void {
    const [waiting, running, failed] = [counts.PENDING, counts.RUNNING, counts.ERROR + counts.CANCELED];
    const isPaused = sweep?.isPaused ?? false;
    const key = [waiting, running, failed, total, isPaused].join(' ');
    if (actions.dataset.key === key || actions.querySelector('.rw-question')) return;
    actions.dataset.key = key;
    const id = String(model.get('sweep_id') ?? '');
    const refusal = model.get('read_only');
    if (refusal) {
      replace(actions, h('span', { class: 'rw-dim' }, String(refusal)));
      return;
    }
    const asking = (
      word: string,
      ask: string,
      yes: string,
      busy: string,
      act: () => Promise<unknown>,
      kind = '',
      typed = typedFor(0),
    ): HTMLElement =>
      askingButton({ label: word, ask: () => ask, yes, busy, no: t('no'), kind, typed }, async () => {
        await attempt(act);
        delete actions.dataset.key;
      });
    pauser.textContent = t(isPaused ? 'resumeSweep' : 'pauseSweep');
    pauser.title = t(isPaused ? 'resumeTells' : 'pauseTells', { n: waiting });
    const hasFocus = root.ownerDocument.activeElement === pauser;
    replace(
      actions,
      waiting > 0 ? pauser : null,
      waiting > 0 && running > 0
        ? asking(
            t('cancelWaiting', { n: waiting }),
            t('askCancelWaiting', { n: waiting }),
            t('cancelYes'),
            t('cancelling'),
            () => transport.send('PUT', `sweeps/${id}`, { pendingOnly: true }),
          )
        : null,
      waiting + running > 0
        ? asking(
            t('cancelAll', { n: waiting + running }),
            t('askCancelAll', { running, waiting }),
            t('cancelYes'),
            t('cancelling'),
            () => transport.send('PUT', `sweeps/${id}`, {}),
          )
        : null,
      failed > 0
        ? h(
            'button',
            { type: 'button', class: 'rw-button', onclick: () => void post('rerun') },
            t('rerunFailed', { n: failed }),
          )
        : null,
      waiting + running === 0 && total > 0
        ? asking(
            t('deleteSweep'),
            t('askDeleteSweep', { n: total }),
            t('deleteYes'),
            t('deleting'),
            async () => {
              await transport.send('DELETE', `sweeps/${id}`);
              gone();
            },
            'rw-quiet',
            typedFor(total),
          )
        : null,
    );
    if (hasFocus) pauser.focus({ preventScroll: true });
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

  const post = (what: string, body?: JsonValue): Promise<void> =>
    attempt(async () =>
      take(await transport.send<SweepHandle>('POST', `sweeps/${String(model.get('sweep_id'))}/${what}`, body)),
    );

  function drawTools(rows: readonly RunRow[], varied: readonly string[]): void {
    const metrics = numericMetrics(rows);
    const others = varied.filter((each) => each !== down(varied) && each !== across(varied));
    const key = JSON.stringify([
      metrics,
      metricOf(),
      direction(),
      varied,
      down(varied),
      across(varied),
      shows(),
      model.get('is_log'),
      rows.length,
      [...fixed],
    ]);
    if (choices === key || tools.contains(root.ownerDocument.activeElement)) return;
    choices = key;
    tools.hidden = varied.length === 0;
    const names = varied.map((each): [string, string] => [each, each]);
    const change = (values: { [name: string]: JsonValue }): void => {
      model.set(values);
      choices = '';
      rested = 0;
      draw();
    };
    replace(
      tools,
      metrics.length > 0
        ? select(
            t('ofMetric'),
            metrics.map((each) => [each, each]),
            metricOf(),
            (metric) => change({ metric }),
          )
        : null,
      metrics.length > 0
        ? select(
            t('better'),
            [
              ['minimize', t('lower')],
              ['maximize', t('higher')],
            ],
            direction(),
            (value) => change({ direction: value }),
          )
        : null,
      metrics.length > 0
        ? select(
            t('gridShows'),
            [
              ['state', t('state')],
              ['metric', t('ofMetric')],
            ],
            shows(),
            (value) => change({ shows: value }),
          )
        : null,
      varied.length > 1 ? select(t('down'), names, down(varied) ?? '', (value) => change({ down: value })) : null,
      varied.length > 1 ? select(t('across'), names, across(varied), (value) => change({ across: value })) : null,
      ...others.map((each) => {
        const values = [...new Set(rows.map((row) => JSON.stringify(row.arguments[each] ?? null)))].slice(0, 200);
        return select(
          each,
          [
            ['', t('allValues')],
            ...values.map((value): [string, string] => [value, label(JSON.parse(value) as JsonValue)]),
          ],
          fixed.get(each) ?? '',
          (value) => {
            if (value === '') fixed.delete(each);
            else fixed.set(each, value);
            change({});
          },
        );
      }),
      metrics.length > 0
        ? select(
            t('scale'),
            [
              ['yes', t('logWhere')],
              ['no', t('linear')],
            ],
            model.get('is_log') === false ? 'no' : 'yes',
            (value) => change({ is_log: value === 'yes' }),
          )
        : null,
    );
  }

  const shows = (): string =>
    String(
      model.get('shows') || (live?.rows.some((row) => isActive(row.state)) || metricOf() === '' ? 'state' : 'metric'),
    );
  const across = (varied: readonly string[]): string => {
    const wanted = String(model.get('across') ?? '');
    return varied.includes(wanted) ? wanted : (varied[0] ?? '');
  };
  const down = (varied: readonly string[]): string | null => {
    const wanted = String(model.get('down') ?? '');
    const free = varied.filter((each) => each !== across(varied));
    return free.includes(wanted) ? wanted : (free[0] ?? null);
  };

  function drawBest(rows: readonly RunRow[], varied: readonly string[]): void {
    const row = metricOf() ? bestOf(rows, metricOf(), direction()) : null;
    best.hidden = row === null;
    const key = row ? [row.id, metricOf(), ...varied].join(' ') : '';
    if (!row || best.dataset.key === key) return;
    best.dataset.key = key;
    replace(
      best,
      h(
        'span',
        {},
        t('bestOf', {
          metric: visible(metricOf(), true),
          value: label(row.metrics[metricOf()] ?? null),
          where: describePoint(row, varied),
        }),
      ),
      h('button', { type: 'button', class: 'rw-button', onclick: () => open(row.id) }, t('openBest')),
    );
  }

  function drawGrid(rows: readonly RunRow[], varied: readonly string[]): void {
    heatMapSection.hidden = varied.length === 0;
    if (varied.length === 0) return;
    const grid = makeGrid(rows, down(varied), across(varied), fixed);
    const focused = root.ownerDocument.activeElement;
    const at = focused && gridScroll.contains(focused) ? (focused as HTMLElement).dataset.at : undefined;
    replace(
      gridScroll,
      heatMapTable({
        grid,
        runs: rows,
        down: down(varied),
        across: across(varied),
        varied,
        metric: shows() === 'metric' ? metricOf() : '',
        direction: direction(),
        open,
      }),
    );
    if (at !== undefined) focusCell(gridScroll, at);
    gridNote.hidden = grid.leftOut === 0;
    gridNote.textContent = t('gridCut', { n: grid.leftOut });
  }

  function drawPlot(rows: readonly RunRow[], varied: readonly string[]): void {
    const metric = metricOf();
    plotSection.hidden = metric === '' || varied.length === 0;
    if (plotSection.hidden) return;
    replace(
      plotSection,
      plot({
        rows,
        varied,
        metric,
        direction: direction(),
        isLog: model.get('is_log') !== false,
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

  // -- a run -----------------------------------------------------------------------------------------

  function open(id: string): void {
    if (openElsewhere) {
      openElsewhere(id);
      return;
    }
    close();
    const place = h('div', {});
    const title = h('span', { class: 'rw-title', tabindex: -1 }, t('openRun', { name: shortId(id) }));
    replace(
      detail,
      h(
        'div',
        { class: 'rw-head' },
        title,
        h('button', { type: 'button', class: 'rw-button rw-quiet', onclick: close }, t('close')),
      ),
      place,
    );
    detail.hidden = false;
    closeDetail = inner.run(place, {
      transport,
      inner,
      model: innerModel({ run_id: id, read_only: model.get('read_only') }),
    });
    title.focus({ preventScroll: true });
    detail.scrollIntoView({ block: 'nearest' });
  }

  function close(): void {
    closeDetail?.();
    closeDetail = null;
    detail.hidden = true;
    replace(detail);
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
  for (const place of [heatMapSection, plotSection])
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
