import { visible } from '../../model/ansi';
import { bytes, clock, took, value } from '../../model/format';
import { t } from '../../model/messages';
import { LiveRun } from '../../model/runs/live-run';
import type { MetricSeries } from '../../model/runs/metric-series';
import { isActive, STATE_SIGNS } from '../../model/states';
import { ApiError } from '../../model/transport';
import type { JsonValue, Progress, RunHandle } from '../../model/types';
import { append, h, replace } from '../dom';
import { listEarlier } from '../form/earlier-runs';
import { filesOf } from '../previews/preview';
import { askingButton } from '../question';
import { innerModel, type View } from '../view';
import { warningList } from '../warnings';
import { CellsView } from './cell-list';
import { failureBox } from './failure';
import { runAgain } from './run-again';
import { LogView } from './run-log';
import { seriesPlot } from './series-plot';

/** Describe the progress of a run in a line. */
export function stageOf(run: RunHandle): string {
  if (run.state === 'PENDING') return t('waitingForSlot');
  if (run.state === 'SUCCESS') return remarksOf(run.progress);
  const { cell, cells, text, source } = run.progress ?? { fraction: 0, text: '' };
  if (!cell || !cells) return run.state === 'RUNNING' ? t('waitingForKernel') : '';
  const place = t('cellOf', { cell, cells });
  const said = text || source;
  return said ? `${place}: ${said}` : place;
}

/** Describe where a successful run ended early, and how many of its cells raised an error. */
function remarksOf({ cells, endedEarly, errors }: Partial<Progress> = {}): string {
  const remarks = [
    endedEarly && cells ? t('endedEarly', { cell: endedEarly, cells }) : '',
    errors ? t(errors === 1 ? 'errorAllowed' : 'errorsAllowed', { n: errors }) : '',
  ];
  return remarks.filter(Boolean).join(', ');
}

/** Return the share of a run that is done, 0 to 1; null if it is not known. */
export function shareOf(run: RunHandle): number | null {
  if (run.state === 'SUCCESS') return 1;
  if (run.state === 'PENDING' || !run.progress?.cells) return isActive(run.state) ? null : 0;
  return run.progress.fraction;
}

/** The live view of a run: progress, log, metrics and results, and the buttons to cancel and delete it. */
export const runView: View = (root, { transport, model, inner }) => {
  const badge = h('span', { class: 'rw-badge', role: 'status' });
  const title = h('span', { class: 'rw-title' });
  const elapsed = h('span', { class: 'rw-elapsed', title: t('elapsed') });
  const stage = h('div', { class: 'rw-stage' });
  const fill = h('div', { class: 'rw-fill' });
  const bar = h(
    'div',
    { class: 'rw-bar', role: 'progressbar', 'aria-label': t('progress'), 'aria-valuemin': 0, 'aria-valuemax': 100 },
    fill,
  );
  const notice = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const given = h('div', { class: 'rw-given' });
  const warnings = warningList();
  const failure = failureBox(transport);
  const metrics = h('dl', { class: 'rw-metrics', 'aria-label': t('metrics'), hidden: true });
  const charts = h('section', { class: 'rw-charts', 'aria-label': t('seriesOf'), hidden: true });
  const results = h('section', { class: 'rw-section', 'aria-label': t('results'), hidden: true });
  const actions = h('div', { class: 'rw-actions' });
  const again = h('div', { class: 'rw-again', hidden: true });
  const body = h('div', { class: 'rw-card' });
  root.append(body);

  let live: LiveRun | null = null;
  let log: LogView | null = null;
  let shown: RunHandle | null = null;
  let drawnFor = '';
  let filesDrawnFor = '';
  let cells: CellsView | null = null;
  let opened = '';
  let closeOpened: (() => void) | null = null;
  let closeFiles: (() => void) | null = null;

  const path = (): string => `runs/${shown?.id ?? ''}`;
  const say = (text: string, kind = ''): void => {
    notice.hidden = text === '';
    notice.className = `rw-notice ${kind}`;
    notice.textContent = text;
  };
  const act = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      say('');
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(error.message, 'rw-bad');
    }
  };

  function tick(): void {
    if (!shown?.startedAt) {
      elapsed.textContent = '';
      return;
    }
    const end = shown.finishedAt ? Date.parse(shown.finishedAt) : Date.now() + transport.clockAhead;
    elapsed.textContent = (shown.finishedAt ? took : clock)((end - Date.parse(shown.startedAt)) / 1000);
  }

  function draw(run: RunHandle): void {
    shown = run;
    model.set({ state: run.state });
    if (!body.contains(badge)) {
      const head = h('div', { class: 'rw-head' }, badge, title, elapsed);
      replace(
        body,
        head,
        bar,
        stage,
        notice,
        given,
        warnings.element,
        failure.element,
        metrics,
        charts,
        results,
        log?.element,
        cells?.element,
        actions,
        again,
      );
    }
    badge.className = `rw-badge rw-${run.state.toLowerCase()}`;
    const word = `${STATE_SIGNS[run.state]} ${t(run.state)}`;
    if (badge.textContent !== word) badge.textContent = word;
    badge.title = run.state;
    title.textContent = visible(run.notebook, true);
    title.title = run.id;
    stage.textContent = visible(stageOf(run), true);
    stage.hidden = stage.textContent === '';
    log?.settle(!isActive(run.state));
    cells?.accept(run);
    drawBar(run);
    given.textContent = run.arguments.map((each) => `${each.name} = ${shortly(each.value)}`).join(', ');
    warnings.show(run.warnings ?? []);
    failure.draw(run);
    drawMetrics(run);
    tick();
    if (drawnFor !== `${run.id} ${run.state}`) {
      drawnFor = `${run.id} ${run.state}`;
      drawActions(run);
    }
    drawFiles(run);
  }

  function drawFiles(run: RunHandle): void {
    const files = filesOf(run);
    const key = `${run.id} ${run.state} ${files.length}`;
    if (filesDrawnFor === key) return;
    filesDrawnFor = key;
    closeFiles?.();
    closeFiles = null;
    results.hidden = files.length === 0;
    if (results.hidden) return;
    const heading = run.state === 'SUCCESS' ? t('results') : t('partialFiles');
    const place = h('div', {});
    replace(results, h('h4', {}, heading), place);
    results.setAttribute('aria-label', heading);
    closeFiles = inner.files(place, { transport, inner, model: innerModel({ run: run as unknown as JsonValue }) });
  }

  function drawBar(run: RunHandle): void {
    const share = shareOf(run);
    bar.hidden = !isActive(run.state);
    bar.classList.toggle('rw-unknown', share === null);
    fill.style.width = `${Math.round((share ?? 0) * 100)}%`;
    bar.setAttribute('aria-valuetext', stageOf(run));
    if (share === null) bar.removeAttribute('aria-valuenow');
    else bar.setAttribute('aria-valuenow', String(Math.round(share * 100)));
  }

  function drawMetrics(run: RunHandle): void {
    const known = Object.entries(run.metrics);
    metrics.hidden = known.length === 0;
    replace(
      metrics,
      ...known.map(([name, each]) =>
        h(
          'div',
          {},
          h('dt', {}, visible(name, true)),
          h('dd', { title: JSON.stringify(each) }, visible(value(each), true)),
        ),
      ),
    );
  }

  function drawSeries(series: MetricSeries): void {
    charts.hidden = series.names.length === 0;
    replace(charts, ...series.names.map((name) => seriesPlot(name, [{ name, points: series.points(name) }])));
  }

  function drawActions(run: RunHandle): void {
    replace(actions);
    const reason = model.get('read_only');
    if (typeof reason === 'string') {
      append(actions, h('span', { class: 'rw-dim' }, reason));
      return;
    }
    if (isActive(run.state)) {
      append(
        actions,
        askingButton(
          { label: t('cancel'), ask: () => t('cancelAsk'), yes: t('cancelYes'), busy: t('cancelling'), no: t('no') },
          () => act(async () => live?.accept(await transport.send<RunHandle>('PUT', path(), {}))),
        ),
      );
      return;
    }
    append(
      actions,
      toggle('form', t('again'), t('closeForm'), openForm),
      toggle('comparison', t('compareWith'), t('closeComparison'), openComparison),
    );
    append(
      actions,
      askingButton(
        { label: t('delete'), ask: askDelete, yes: t('deleteYes'), busy: t('deleting'), no: t('no'), kind: 'rw-quiet' },
        () => act(() => transport.send('DELETE', path())),
      ),
    );
  }

  function askDelete(): string {
    const files = shown ? filesOf(shown) : [];
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const what = files.length ? t('deleteFiles', { n: files.length, size: bytes(size) }) : '';
    return t('deleteAsk', { files: what });
  }

  /** A button that opens and closes a panel below the run; only one is open. */
  function toggle(name: string, label: string, closing: string, fill: () => () => void): HTMLElement {
    const button = h('button', {
      type: 'button',
      class: 'rw-button',
      'aria-expanded': String(opened === name),
      onclick: flip,
    });
    const tell = (): void => {
      button.textContent = opened === name ? closing : label;
      button.setAttribute('aria-expanded', String(opened === name));
    };
    function flip(): void {
      const wasOpen = opened === name;
      closeBelow();
      if (!wasOpen) {
        opened = name;
        again.hidden = false;
        closeOpened = fill();
      }
      if (shown) drawActions(shown);
      actions.querySelector<HTMLElement>(`[data-opens="${name}"]`)?.focus();
    }
    button.dataset.opens = name;
    tell();
    return button;
  }

  function closeBelow(): void {
    closeOpened?.();
    closeOpened = null;
    opened = '';
    again.hidden = true;
    replace(again);
  }

  function openForm(): () => void {
    return shown ? runAgain(again, shown, { transport, model, inner }) : () => undefined;
  }

  /** Choose another run of the group, then show both side by side. */
  function openComparison(): () => void {
    if (!shown) return () => undefined;
    const { id, groupId } = shown;
    const panel = h('div', { class: 'rw-panel' });
    const place = h('section', { 'aria-label': t('comparison') });
    let close: (() => void) | null = null;
    append(again, panel, place);
    listEarlier(
      panel,
      transport,
      groupId,
      {
        chosen(other) {
          close?.();
          replace(panel);
          replace(place);
          close = inner.compare(place, { transport, inner, model: innerModel({ run_ids: [id, other.id] }) });
        },
        closed: () => actions.querySelector<HTMLElement>('[data-opens="comparison"]')?.click(),
      },
      { word: 'compareRun', except: id },
    );
    return () => close?.();
  }

  function watch(): void {
    live?.close();
    log?.close();
    cells?.close();
    closeFiles?.();
    closeBelow();
    drawnFor = '';
    filesDrawnFor = '';
    charts.hidden = true;
    replace(charts);
    const id = String(model.get('run_id') ?? '');
    if (!id) {
      replace(body, h('div', { class: 'rw-dim' }, t('loading')));
      return;
    }
    replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
    const view = new LogView(transport, id);
    log = view;
    cells = new CellsView(transport);
    live = new LiveRun(transport, id, {
      changed: draw,
      recorded: drawSeries,
      printed: (text) => view.append(text),
      connection: (connection) => {
        body.classList.toggle('rw-stale', !connection.isLive);
        say(connection.isLive ? '' : t('stale', { time: connection.since.toLocaleTimeString() }));
        if (!notice.parentNode) body.append(notice); // the first request failed
      },
      gone: () => {
        replace(body, h('div', { class: 'rw-dim', role: 'status' }, t(shown?.id === id ? 'gone' : 'noSuchRun')));
        model.set({ state: 'DELETED' });
      },
      failed: (error) => {
        if (error.status === 404) live?.close(); // a server without our routes
        replace(
          body,
          h('div', { class: 'rw-failure', role: 'alert' }, error.status === 404 ? t('noServer') : error.message),
        );
      },
    });
  }

  const unobserve = model.observe('run_id', watch);
  const timer = setInterval(tick, 1000);
  watch();
  return () => {
    clearInterval(timer);
    unobserve();
    live?.close();
    log?.close();
    cells?.close();
    closeFiles?.();
    closeBelow();
  };
};

function shortly(given: unknown): string {
  const text = typeof given === 'string' ? given : JSON.stringify(given);
  return visible(text.length <= 60 ? text : `${text.slice(0, 57)}…`, true);
}
