import { decimals } from '../../model/form/argument-validation';
import { parseRange } from '../../model/form/ranges';
import { t } from '../../model/messages';
import type { JsonValue, ParameterHandle } from '../../model/types';
import { h } from '../dom';
import { type Control, NOTHING, presetOf, textOf } from './control';

const TYPES: { [dtype: string]: string } = { date: 'date', datetime: 'datetime-local' };
const STEPS = 100;
/** A slider is logarithmic if the ratio of its ends is at least this. */
const WIDE = { int: 10_000, float: 1_000 };

/** The control of a line of text, which is kept and validated as it is typed. */
export function line(parameter: ParameterHandle, changed: () => void): Control {
  const isNumber = parameter.dtype === 'int' || parameter.dtype === 'float';
  const preset = presetOf(parameter);
  const isLong = typeof preset === 'string' && preset.includes('\n');
  const picker = TYPES[parameter.dtype];
  const input =
    isLong && !parameter.secret
      ? h('textarea', { class: 'rw-input', rows: 4, oninput: changed })
      : h('input', {
          class: 'rw-input',
          type: parameter.secret ? 'password' : (picker ?? 'text'),
          oninput: changed,
          spellcheck: 'false',
          autocomplete: parameter.secret ? 'new-password' : 'off',
          inputmode: isNumber ? (parameter.dtype === 'int' ? 'numeric' : 'decimal') : null,
          step: parameter.dtype === 'datetime' ? 1 : null,
          onblur: changed,
        });
  const isHalf = (): boolean => input instanceof HTMLInputElement && input.validity.badInput;
  return {
    element: input,
    input,
    // An emptied field with a default is reported as empty: using the default would be silent.
    read: () =>
      input.value === '' && (preset === null || preset === '') ? NOTHING : { isGiven: true, value: input.value },
    problem: () => (isHalf() ? t('halfDate') : null),
    write: (value) => {
      const text = textOf(value);
      if (input instanceof HTMLInputElement && picker) input.type = picker;
      input.value = text;
      if (input instanceof HTMLInputElement && picker && text !== '' && input.value === '') {
        input.type = 'text'; // a date picker would drop what it cannot show, such as a time zone
        input.value = text;
      }
    },
    clear: () => {
      if (input instanceof HTMLInputElement && picker) input.type = picker;
      input.value = '';
    },
  };
}

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

const TOKENS = /"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Return a number of a JSON text that parsing would change, null if there is none. */
export function lostNumber(text: string): string | null {
  for (const [token] of text.matchAll(TOKENS)) {
    if (token.startsWith('"')) continue;
    const value = Number(token);
    const isKept = Number.isFinite(value) && (!/^-?\d+$/.test(token) || BigInt(token) === BigInt(value));
    if (!isKept) return token;
  }
  return null;
}

/** The control of any value, as JSON. */
export function json(changed: () => void): Control {
  const input = h('textarea', { class: 'rw-input rw-mono', rows: 3, oninput: changed, spellcheck: 'false' });
  const parse = (): { value: JsonValue } | { problem: string } => {
    const lost = lostNumber(input.value);
    try {
      const value = JSON.parse(input.value) as JsonValue;
      return lost === null ? { value } : { problem: t('lostNumber', { number: lost }) };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return { problem: t('noJson', { problem: error.message }) };
    }
  };
  const parsed = () => (input.value.trim() === '' ? null : parse());
  return {
    element: input,
    input,
    hint: t('asJson'),
    read: () => {
      const found = parsed();
      return found && 'value' in found ? { isGiven: true, value: found.value } : NOTHING;
    },
    problem: () => {
      const found = parsed();
      return found && 'problem' in found ? found.problem : null;
    },
    write: (value) => {
      input.value = JSON.stringify(value, null, 1);
    },
    clear: () => {
      input.value = '';
    },
  };
}
