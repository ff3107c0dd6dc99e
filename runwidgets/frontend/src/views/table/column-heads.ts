import { t } from '../../model/messages';
import { type Column, moved, type SortOrder } from '../../model/runs/run-columns';
import { h } from '../dom';
import { titleOf } from './cells';

const NARROWEST = 40;
const WIDEST = 1200;
const STEP = 24;
/** The type of a dragged column: nothing else can be dropped. */
const TYPE = 'application/x-runwidgets-column';

/** Widths in pixels of the resized columns; the others are as wide as their cells. */
export type Widths = { [key: string]: number };

export interface Heads {
  columns: readonly Column[];
  order: SortOrder | null;
  numeric: ReadonlySet<Column>;
  widths: Widths;
  sortBy(column: Column): void;
  /** Show the columns in another order. */
  arrange(keys: string[]): void;
  /** Set a width, temporarily while it is dragged; 0 for as wide as the cells. */
  widen(key: string, width: number, isTemporary: boolean): void;
}

/** Return the style of a cell in a column. */
export const widthOf = (width: number | undefined): string | null =>
  width ? `width: ${width}px; min-width: ${width}px; max-width: ${width}px` : null;

/** The head of a column: a click sorts, dragging moves it, its right edge resizes it; keys do all three. */
export function headOf(column: Column, given: Heads): HTMLElement {
  const { order, numeric, widths } = given;
  const isChosen = order?.key === column.key;
  const sort = !isChosen ? 'none' : order?.isDescending ? 'descending' : 'ascending';
  const arrow = !isChosen ? '' : order?.isDescending ? ' ▼' : ' ▲';
  const keys = given.columns.map(({ key }) => key);
  const at = keys.indexOf(column.key);
  const widthNow = (): number => widths[column.key] ?? Math.round(head.offsetWidth);
  const within = (width: number): number => Math.max(NARROWEST, Math.min(WIDEST, Math.round(width)));

  const button = h(
    'button',
    {
      type: 'button',
      class: 'rw-sort',
      'data-key': column.key,
      draggable: 'true',
      title: t('headHint', { name: titleOf(column) }),
      'aria-keyshortcuts': 'Shift+ArrowLeft Shift+ArrowRight + -',
      onclick: () => given.sortBy(column),
      onkeydown: (event: KeyboardEvent) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (event.shiftKey && by !== undefined) given.arrange(moved(keys, column.key, at + by));
        else if (event.key === '+' || event.key === '-')
          given.widen(column.key, within(widthNow() + (event.key === '+' ? STEP : -STEP)), false);
        else return;
        event.preventDefault();
      },
      ondragstart: (event: DragEvent) => event.dataTransfer?.setData(TYPE, column.key),
    },
    titleOf(column),
    h('span', { 'aria-hidden': 'true' }, arrow),
  );
  const grip = h('span', {
    class: 'rw-grip',
    'aria-hidden': 'true',
    onpointerdown: pull,
    ondblclick: () => given.widen(column.key, 0, false),
  });
  const head = h(
    'th',
    {
      scope: 'col',
      role: 'columnheader',
      'aria-sort': sort,
      class: `rw-${column.group} ${numeric.has(column) ? 'rw-number' : ''}`,
      style: widthOf(widths[column.key]),
      ondragover: (event: DragEvent) => {
        if (!event.dataTransfer?.types.includes(TYPE)) return;
        event.preventDefault();
        head.classList.add('rw-drop');
      },
      ondragleave: () => head.classList.remove('rw-drop'),
      ondrop: (event: DragEvent) => {
        event.preventDefault();
        const key = event.dataTransfer?.getData(TYPE) ?? '';
        if (keys.includes(key)) given.arrange(moved(keys, key, at));
        else head.classList.remove('rw-drop');
      },
    },
    button,
    grip,
  );

  function pull(event: PointerEvent): void {
    event.preventDefault();
    const [start, before] = [event.clientX, widthNow()];
    const widthAt = (now: PointerEvent): number => within(before + now.clientX - start);
    let width = 0;
    const move = (now: PointerEvent): void => {
      width = widthAt(now);
      head.setAttribute('style', widthOf(width) ?? '');
      given.widen(column.key, width, true);
    };
    grip.setPointerCapture(event.pointerId);
    grip.addEventListener('pointermove', move);
    grip.addEventListener(
      'lostpointercapture',
      () => {
        // whether it was dropped or not
        grip.removeEventListener('pointermove', move);
        if (width) given.widen(column.key, width, false);
      },
      { once: true },
    );
  }
  return head;
}
