import { decimals } from '../../model/form/argument-validation';
import { parseRange } from '../../model/form/ranges';
import { t } from '../../model/messages';
import type { ParameterHandle } from '../../model/types';
import { h } from '../dom';
import type { Control } from './control';
import { line } from './text';

const STEPS = 100;
/** A slider is logarithmic if the ratio of its ends is at least this. */
const WIDE = { int: 10_000, float: 1_000 };

interface Ends {
  least: number;
  most: number;
  step: number;
  isWide: boolean;
}

/** Return the ends of a slider; null if one is not known, since a guess would be a limit that nobody set. */
export function sliderOf(parameter: ParameterHandle): Ends | null {
  const range = parseRange(parameter.range);
  if (!range || range.least === null || range.most === null || range.least >= range.most || parameter.secret)
    return null;
  const isWhole = parameter.dtype === 'int';
  const span = range.most - range.least;
  if (!Number.isSafeInteger(Math.trunc(range.least)) || !Number.isSafeInteger(Math.trunc(range.most))) return null;
  const isWide = range.least > 0 && range.most / range.least >= WIDE[isWhole ? 'int' : 'float'];
  const step = isWhole ? 1 : 10 ** Math.floor(Math.log10(span / STEPS));
  const edge = isWide ? range.least / 1000 : step;
  return {
    least: isWhole
      ? range.includesLeast
        ? Math.ceil(range.least)
        : Math.floor(range.least) + 1
      : range.least + (range.includesLeast ? 0 : edge),
    most: isWhole
      ? range.includesMost
        ? Math.floor(range.most)
        : Math.ceil(range.most) - 1
      : range.most - (range.includesMost ? 0 : edge),
    step,
    isWide,
  };
}

/** Return the number at a position of a slider, as people write it. */
export function atPlace(ends: Ends, place: number, isWhole: boolean): string {
  if (place <= 0) return String(ends.least);
  if (place >= 1) return String(ends.most);
  const { least, most, step } = ends;
  const exact = ends.isWide
    ? least * (most / least) ** place
    : least + Math.round((place * (most - least)) / step) * step;
  const value = ends.isWide ? Number(exact.toPrecision(2)) : Number(exact.toFixed(decimals(step)));
  return String(Math.min(most, Math.max(least, isWhole ? Math.round(value) : value)));
}

/** Return where a number is on a slider, from 0 to 1. */
export function placeOf(ends: Ends, value: number): number {
  const { least, most } = ends;
  const inside = Math.min(most, Math.max(least, value));
  return ends.isWide ? Math.log(inside / least) / Math.log(most / least) : (inside - least) / (most - least);
}

/** The control of a number with a range: a slider beside a text, whose value counts. */
export function slider(parameter: ParameterHandle, ends: Ends, changed: () => void): Control {
  const isWhole = parameter.dtype === 'int';
  const count = ends.isWide ? STEPS : Math.max(1, Math.round((ends.most - ends.least) / ends.step));
  const text = line(parameter, follow);
  const field = text.input as HTMLInputElement;
  const bar = h('input', {
    type: 'range',
    class: 'rw-slider',
    min: 0,
    max: count,
    step: 1,
    'aria-label': t('sliderOf', { name: parameter.label ?? parameter.name }),
    oninput: () => {
      field.value = atPlace(ends, Number(bar.value) / count, isWhole);
      tell();
      changed();
    },
  });
  function tell(): void {
    bar.setAttribute('aria-valuetext', field.value || t('noValue'));
  }
  function follow(): void {
    move();
    changed();
  }
  function move(): void {
    const value = Number(field.value);
    if (field.value.trim() !== '' && Number.isFinite(value))
      bar.value = String(Math.round(placeOf(ends, value) * count));
    tell();
  }
  tell();
  return {
    ...text,
    element: h('div', { class: 'rw-slide' }, bar, field),
    write: (value) => {
      text.write(value);
      move();
    },
    clear: () => {
      text.clear();
      bar.value = '0';
      tell();
    },
  };
}
