/**
 * Validation of arguments while they are typed.
 *
 * It gives the same messages as `templates/casts.py`; both are tested with
 * `tests/templates/cases.json`. The server validates again, and decides.
 */

import type { JsonValue, ParameterHandle } from '../types';
import { isMatching, lengthProblem, multipleProblem, specialOf } from './constraints';
import { describeRange, parseRange, type Range } from './ranges';

const WHOLE = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const MAX_DIGITS = 100;
const SHOWN = 60;

/** Return a value as a person would write it, shortened to fit on a line. */
export function show(value: JsonValue): string {
  const text = typeof value === 'string' ? `'${value}'` : (nameOf(value) ?? JSON.stringify(value));
  const short = [...text];
  return short.length <= SHOWN ? text : `${short.slice(0, SHOWN - 3).join('')}…`;
}

/** Return the name of NaN or an infinity in its form for any type; null for any other value. */
export function nameOf(value: JsonValue): string | null {
  const isTagged = typeof value === 'object' && value !== null && !Array.isArray(value) && value.type === '$float';
  return isTagged ? String(value.value) : null;
}

function outside(range: Range | null, value: number, shown: string): string | null {
  if (range === null) return null;
  const { least, most } = range;
  const isLow = least !== null && !(value > least || (value === least && range.includesLeast));
  const isHigh = most !== null && !(value < most || (value === most && range.includesMost));
  return isLow || isHigh ? `must be ${describeRange(range)}, got ${shown}` : null;
}

/** Return the number of decimals of a power of ten. */
export const decimals = (step: number): number => Math.min(20, Math.max(0, -Math.floor(Math.log10(step))));

const plain = (text: string): string => String(Number(text.trim()));

/** Say whether a value is one of the choices of a select. */
const isChoice = (parameter: ParameterHandle, value: JsonValue): boolean =>
  parameter.dtype === 'select' && (parameter.values ?? []).some((each) => each.value === value);

/** Say whether None is a value of a parameter. */
export const takesNone = ({ nullable, dtype, isRequired, defaultValue, computed }: ParameterHandle): boolean =>
  nullable === true || dtype === 'any' || (!isRequired && (defaultValue ?? null) === null && computed !== true);

/** Say whether a value counts as none: null or blank, where that is not a value of the parameter. */
export function isBlank(parameter: ParameterHandle, value: JsonValue): boolean {
  if (value === null) return !takesNone(parameter);
  const isText = parameter.dtype === 'string' || parameter.dtype === 'any';
  return typeof value === 'string' && value.trim() === '' && !isText && !isChoice(parameter, value);
}

/** Return what is wrong with a value for a parameter, null when nothing is. */
export function problemOf(parameter: ParameterHandle, value: JsonValue): string | null {
  if (isBlank(parameter, value)) return 'no value was given';
  if (value === null) return null;
  switch (parameter.dtype) {
    case 'int':
      return wholeProblem(parameter, value);
    case 'float':
      return numberProblem(parameter, value);
    case 'bool':
      return typeof value === 'boolean' || (typeof value === 'string' && /^(true|false)$/i.test(value.trim()))
        ? null
        : `${show(value)} is not true or false`;
    case 'string':
      if (typeof value !== 'string') return `${show(value)} is not text`;
      return textProblem(parameter, value);
    case 'select':
      return isChoice(parameter, value) || (parameter.values ?? []).some((each) => textOf(each.value) === value)
        ? null
        : `${show(value)} is not one of ${(parameter.values ?? []).map((each) => show(each.value)).join(', ')}`;
    case 'list':
      return Array.isArray(value) ? lengthProblem(parameter, value.length, 'item') : `${show(value)} is not a list`;
    case 'record':
      return typeof value === 'object' && !Array.isArray(value)
        ? null
        : `${show(value)} is not a record of names and values`;
    default:
      return null;
  }
}

const textOf = (value: JsonValue): string => (typeof value === 'string' ? value : JSON.stringify(value));

function textProblem(parameter: ParameterHandle, value: string): string | null {
  if (value.includes('\0')) return 'it holds a NUL character';
  const problem = lengthProblem(parameter, [...value].length, 'character');
  if (problem !== null) return problem;
  const { pattern } = parameter;
  return isMatching(pattern, value) ? null : `${show(value)} does not match the pattern ${pattern}`;
}

function wholeProblem(parameter: ParameterHandle, value: JsonValue): string | null {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
  if (!WHOLE.test(text)) return `${show(value)} is not a whole number`;
  if (text.length > MAX_DIGITS) return `it has more than ${MAX_DIGITS} digits`;
  const shown = text.replace(/^\+/, '').replace(/^(-?)0+(?=\d)/, '$1');
  return outside(parseRange(parameter.range), Number(text), shown) ?? multipleProblem(parameter, Number(text));
}

function numberProblem(parameter: ParameterHandle, value: JsonValue): string | null {
  const text =
    typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : (nameOf(value) ?? '');
  const special = specialOf(text);
  if (special !== null)
    return outside(parseRange(parameter.range), special, text) ?? multipleProblem(parameter, special);
  if (!DECIMAL.test(text)) return `${show(value)} is not a number`;
  if (!Number.isFinite(Number(text))) return `${show(value)} is not a finite number`;
  return outside(parseRange(parameter.range), Number(text), plain(text)) ?? multipleProblem(parameter, Number(text));
}
