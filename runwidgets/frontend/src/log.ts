import { h } from './dom';
import { t } from './text';

const MOST_LINES = 2000;
// eslint-disable-next-line no-control-regex
const ANSI = /\x1b\[[0-9;?]*[A-Za-z]/g;

/** Add printed text to lines; a carriage return goes back to the line's beginning, as on a terminal. */
export function addText(lines: string[], text: string): void {
  const pieces = text.replace(ANSI, '').replace(/\r\n/g, '\n').split('\n');
  pieces.forEach((piece, at) => {
    if (at > 0 || lines.length === 0) lines.push('');
    const whole = (lines[lines.length - 1] ?? '') + piece;
    const ended = whole.endsWith('\r');
    const visible = (ended ? whole.slice(0, -1) : whole).split('\r');
    lines[lines.length - 1] = (visible[visible.length - 1] ?? '') + (ended ? '\r' : '');
  });
}

/** The log of a run: appended to, never sent again; follows its end until one scrolls up. */
export class LogView {
  readonly element: HTMLElement;
  private readonly lines: string[] = [];
  private readonly output = h('pre', { class: 'rw-log', tabindex: 0, role: 'log', 'aria-label': t('log') });
  private readonly note = h('span', { class: 'rw-dim' }, t('noLog'));
  private readonly follow = h('input', { type: 'checkbox', checked: true });
  private frame = 0;

  constructor() {
    const label = h('label', { class: 'rw-check' }, this.follow, t('follow'));
    this.element = h('details', { class: 'rw-section', open: true }, h('summary', {}, t('log')),
      this.output, h('div', { class: 'rw-row' }, this.note, label));
    this.output.addEventListener('scroll', () => {
      const rest = this.output.scrollHeight - this.output.scrollTop - this.output.clientHeight;
      this.follow.checked = rest < 24;
    });
    this.output.hidden = true;
  }

  append(text: string): void {
    addText(this.lines, text);
    const surplus = this.lines.length - MOST_LINES;
    if (surplus > 0) {
      this.lines.splice(0, surplus);
      this.note.textContent = t('logCut', { n: MOST_LINES.toLocaleString('en') });
    } else if (!this.note.textContent?.startsWith(t('logCut').slice(0, 7))) {
      this.note.textContent = '';
    }
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  /** Say whether the run has ended: a log that then is empty is not worth its place. */
  settle(hasEnded: boolean): void {
    this.element.hidden = hasEnded && this.lines.length === 0;
  }

  close(): void {
    cancelAnimationFrame(this.frame);
  }

  private draw(): void {
    this.frame = 0;
    this.output.hidden = false;
    this.element.hidden = false;
    const isFollowing = this.follow.checked;
    this.output.textContent = this.lines.map((line) => line.replace(/\r$/, '')).join('\n');
    if (isFollowing) this.output.scrollTop = this.output.scrollHeight;
  }
}
