/** Constraints in addition to the type, as in `templates/constraints.py`: multiples, lengths and patterns. */

import type { ParameterHandle } from '../types';

const RELATIVE_ERROR = 1e-9;
/** The names of numbers that JSON does not have. */
const SPECIAL: { [name: string]: number } = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/** Return NaN or an infinity by its name, null for any other text. */
export const specialOf = (text: string): number | null => SPECIAL[text.trim()] ?? null;

/** Say that a number is not a multiple of what it should be; null if it is. */
export function multipleProblem({ multipleOf }: ParameterHandle, value: number): string | null {
  if (multipleOf === undefined) return null;
  const rest = Math.abs(value % multipleOf);
  const tolerance = Math.abs(value) * RELATIVE_ERROR;
  const isMultiple = Number.isFinite(value) && (rest <= tolerance || multipleOf - rest <= tolerance);
  return isMultiple ? null : `must be a multiple of ${multipleOf}, got ${value}`;
}

/** Say that a number of characters or items is too small or too large; null if it is not. */
export function lengthProblem(parameter: ParameterHandle, length: number, part: 'character' | 'item'): string | null {
  const exact = parameter.items?.length;
  const [least, most] = [exact ?? parameter.minLength ?? 0, exact ?? parameter.maxLength];
  if (least <= length && (most === undefined || length <= most)) return null;
  const between = least > 0 ? `${least} to ${most}` : `at most ${most}`;
  const needed = least === most ? String(least) : most === undefined ? `at least ${least}` : between;
  return `must have ${needed} ${part}${(most ?? least) === 1 ? '' : 's'}, has ${length}`;
}

/** Say whether a text contains a pattern; one that JavaScript does not know is left to the server. */
export function isMatching(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined) return true;
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return true;
  }
}
