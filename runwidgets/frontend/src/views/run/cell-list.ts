import { visible } from '../../model/ansi';
import { joined, type Notebook, type NotebookCell, numberOf } from '../../model/files/notebook';
import { t } from '../../model/messages';
import { isActive } from '../../model/states';
import { ApiError, type Transport } from '../../model/transport';
import type { RunHandle } from '../../model/types';
import { h, replace } from '../dom';

const PAUSE = 1000;
const MOST = 500;

/** A code cell of a run: what it is, and how long it took. */
export interface CellTime {
  /** Its number, as messages count cells; null for one that is left out. */
  number: number | null;
  line: string;
  status: string;
  /** Seconds; null for one that has not ended. */
  duration: number | null;
  /** Why it is left out, if it is. */
  leftOut?: string | undefined;
}

const firstLine = (cell: NotebookCell): string => {
  const lines = joined(cell.source)
    .split('\n')
    .map((line) => line.trim());
  return lines.find((line) => line !== '' && !line.startsWith('%%')) ?? '';
};

/** Return the code cells of an executed notebook with their durations. */
export function cellTimes(notebook: Notebook): CellTime[] {
  return notebook.cells.flatMap((cell) => {
    if (cell.cell_type !== 'code' || joined(cell.source).trim() === '') return [];
    const duration = cell.metadata?.papermill?.duration;
    return [
      {
        number: numberOf(cell),
        line: firstLine(cell),
        status: cell.metadata?.runwidgets?.status ?? 'not run',
        duration: typeof duration === 'number' ? duration : null,
        leftOut: cell.metadata?.runwidgets?.leftOut,
      },
    ];
  });
}

/** Return seconds in a short format. */
export function seconds(duration: number): string {
  if (duration < 0.9995) return `${Math.round(duration * 1000)} ms`;
  if (duration < 59.95) return `${duration.toFixed(1)} s`;
  const whole = Math.round(duration);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

function took({ leftOut, duration }: CellTime): string {
  if (leftOut) return t('leftOut');
  return duration === null ? '' : seconds(duration);
}

const statusOf = ({ leftOut, status }: CellTime): string =>
  leftOut ? t('leftOutWhy', { why: leftOut }) : t('cellStatus', { status });

const SIGNS: { [status: string]: string } = { ok: '✓', error: '✕', running: '▶', 'not run': '–' };

/** The code cells of a run with their durations; read when opened, and again as the run goes on. */
export class CellsView {
  readonly element: HTMLDetailsElement;
  private readonly place = h('div', {
    class: 'rw-scroll rw-cells',
    tabindex: 0,
    role: 'region',
    'aria-label': t('cells'),
  });
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isReading = false;
  private read = '';
  private run: RunHandle | null = null;

  constructor(private readonly transport: Transport) {
    this.element = h('details', { class: 'rw-section', hidden: true }, h('summary', {}, t('cells')), this.place);
    this.element.addEventListener('toggle', () => this.look());
  }

  /** Take over a new run handle. */
  accept(run: RunHandle): void {
    this.run = run;
    this.element.hidden = run.state === 'PENDING';
    this.look();
  }

  close(): void {
    clearTimeout(this.timer);
    this.run = null;
  }

  private look(): void {
    if (!this.run || !this.element.open || this.isReading || this.timer !== undefined) return;
    const key = `${this.run.id} ${this.run.state} ${this.run.progress?.cell ?? ''}`;
    if (key === this.read) return;
    this.read = key;
    void this.show(this.run);
  }

  private async show(run: RunHandle): Promise<void> {
    this.isReading = true;
    try {
      const notebook = await this.transport.get<Notebook>(`runs/${run.id}/notebook`);
      if (this.run) this.draw(cellTimes(notebook), run);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(
        this.place,
        h('div', { class: 'rw-dim', role: 'status' }, error.status === 404 ? t('noCells') : error.message),
      );
    } finally {
      this.isReading = false;
    }
    if (!this.run) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.look();
    }, PAUSE);
  }

  private draw(cells: CellTime[], run: RunHandle): void {
    if (cells.length === 0) {
      replace(this.place, h('div', { class: 'rw-dim' }, t('noCells')));
      return;
    }
    const longest = Math.max(...cells.map((cell) => cell.duration ?? 0)) || 1;
    const rows = cells.slice(0, MOST).map((cell) => {
      const isHere = isActive(run.state) && cell.status === 'running';
      const bar = h('span', { class: 'rw-share', 'aria-hidden': 'true' });
      bar.style.width = `${((cell.duration ?? 0) / longest) * 100}%`;
      return h(
        'tr',
        { class: isHere ? 'rw-here' : '', 'aria-current': isHere ? 'step' : null },
        h('td', { class: 'rw-number' }, String(cell.number ?? '')),
        h(
          'td',
          { title: visible(statusOf(cell), true) },
          SIGNS[cell.status] ?? '',
          h('span', { class: 'rw-unseen' }, cell.status),
        ),
        h('td', { class: 'rw-source', title: visible(cell.line, true) }, visible(cell.line, true)),
        h('td', { class: 'rw-number rw-took' }, bar, h('span', {}, took(cell))),
      );
    });
    const heads = [t('cell'), t('state'), t('firstLine'), t('duration')].map((name) => h('th', { scope: 'col' }, name));
    replace(
      this.place,
      h('table', { class: 'rw-table' }, h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...rows)),
      cells.length > MOST ? h('div', { class: 'rw-dim' }, t('cellsCut', { n: MOST, all: cells.length })) : null,
    );
  }
}
