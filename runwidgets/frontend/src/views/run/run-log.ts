import { readAnsi } from '../../model/ansi';
import { shortId } from '../../model/format';
import { t } from '../../model/messages';
import { addText } from '../../model/runs/log-lines';
import { ApiError, type Transport } from '../../model/transport';
import type { LogPiece } from '../../model/types';
import { spanOf } from '../ansi-text';
import { h, saveAs } from '../dom';

const MOST_LINES = 2000;

/** The log of a run; it follows its end until the user scrolls up. */
export class LogView {
  readonly element: HTMLElement;
  private readonly lines: string[] = [];
  private readonly drawn: string[] = [];
  private readonly output = h('pre', {
    class: 'rw-log',
    tabindex: 0,
    role: 'log',
    'aria-label': t('log'),
    hidden: true,
  });
  private readonly note = h('span', { class: 'rw-dim', role: 'status' }, t('noLog'));
  private readonly follow = h('input', { type: 'checkbox', checked: true });
  private readonly search = h('input', {
    type: 'search',
    class: 'rw-input rw-find',
    placeholder: t('findInLog'),
    'aria-label': t('findInLog'),
    oninput: () => this.find(),
  });
  private readonly row: HTMLElement;
  private dropped = 0;
  private isCut = false;
  private frame = 0;

  constructor(
    private readonly transport: Transport,
    private readonly id: string,
  ) {
    const wrap = h('input', {
      type: 'checkbox',
      checked: true,
      onchange: () => this.output.classList.toggle('rw-unwrapped', !wrap.checked),
    });
    this.row = h(
      'div',
      { class: 'rw-row', hidden: true },
      this.search,
      h('label', { class: 'rw-check' }, this.follow, t('follow')),
      h('label', { class: 'rw-check' }, wrap, t('wrap')),
      h(
        'button',
        { type: 'button', class: 'rw-button rw-quiet', onclick: () => void this.download() },
        t('downloadLog'),
      ),
    );
    this.element = h(
      'details',
      { class: 'rw-section', open: true },
      h('summary', {}, t('log')),
      this.output,
      this.row,
      this.note,
    );
    this.output.addEventListener('scroll', () => {
      const rest = this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight;
      this.follow.checked = rest < 24;
    });
    this.follow.addEventListener('change', () => {
      if (this.follow.checked) this.output.scrollTop = this.output.scrollHeight;
    });
  }

  append(text: string): void {
    addText(this.lines, text);
    const surplus = this.lines.length - MOST_LINES;
    if (surplus > 0) {
      this.lines.splice(0, surplus);
      this.dropped += surplus;
      this.isCut = true;
    }
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Note whether the run has ended: an empty log is hidden then. */
  settle(hasEnded: boolean): void {
    this.element.hidden = hasEnded && this.lines.length === 0;
  }

  close(): void {
    cancelAnimationFrame(this.frame);
  }

  /** Draw what is new: dropped lines are removed, the last one is redrawn, others are added. */
  private draw(): void {
    this.frame = 0;
    this.output.hidden = this.row.hidden = this.element.hidden = false;
    const isFollowing = this.follow.checked;
    for (const gone of [...this.output.children].slice(0, Math.min(this.dropped, this.drawn.length))) gone.remove();
    this.drawn.splice(0, this.dropped);
    this.dropped = 0;
    const start = Math.max(0, this.drawn.length - 1);
    this.lines.slice(start).forEach((line, offset) => {
      const at = start + offset;
      if (this.drawn[at] === line) return;
      const made = h('span', { class: 'rw-line' }, ...readAnsi(line.replace(/\r$/, '')).map(spanOf), '\n');
      const old = this.output.children[at];
      if (old) old.replaceWith(made);
      else this.output.append(made);
      this.drawn[at] = line;
    });
    this.find();
    if (isFollowing) this.output.scrollTop = this.output.scrollHeight;
  }

  /** Show only the lines that contain the text of the search. */
  private find(): void {
    const sought = this.search.value.toLowerCase();
    let found = 0;
    [...this.output.children].forEach((line, at) => {
      const isBegun = at < this.drawn.length - 1 || this.drawn[at] !== '';
      const isFound = isBegun && (sought === '' || (line.textContent ?? '').toLowerCase().includes(sought));
      (line as HTMLElement).hidden = !isFound;
      found += Number(isFound);
    });
    const words = [
      sought ? t('linesFound', { n: found, all: this.drawn.length }) : '',
      this.isCut ? t('logCut', { n: MOST_LINES.toLocaleString('en') }) : '',
    ]
      .filter((each) => each !== '')
      .join('; ');
    if (this.note.textContent !== words) this.note.textContent = words;
  }

  /** Fetch the whole log and download it as a file. */
  private async download(): Promise<void> {
    const pieces: string[] = [];
    try {
      let offset = 0;
      for (;;) {
        const piece = await this.transport.get<LogPiece>(`runs/${this.id}/log?offset=${offset}`);
        pieces.push(piece.text);
        if (piece.text === '' || piece.next >= piece.size) break;
        offset = piece.next;
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.note.textContent = error.message;
      return;
    }
    saveAs(new Blob(pieces, { type: 'text/plain' }), `${shortId(this.id)}.log`);
  }
}
