/** The space of a form's sweep: evenly spaced numbers, and the combinations of values. */

import type { JsonValue, ParameterHandle } from '../types';

/** The number of runs that one sweep of a form may start; the queue of the service has the same limit. */
export const MOST_POINTS = 10_000;

/** Return a number without its last digits, which come from floating point: 0.30000000000000004 is 0.3. */
const tidy = (value: number): number => Number(value.toPrecision(12));

/** Return numbers a step apart; the end is among them if the steps lead to it. */
export function row(first: number, last: number, step: number): number[] {
  const count = Math.floor((last - first) / step + 1e-9) + 1;
  return Array.from({ length: count }, (_, at) => tidy(first + at * step));
}

/** Return numbers with equal ratios, both ends among them; as `runwidgets.geomspace` does. */
export function logRow(first: number, last: number, count: number, isWhole: boolean): number[] {
  const inner = Array.from({ length: count - 2 }, (_, at) => tidy(first * (last / first) ** ((at + 1) / (count - 1))));
  const values = [first, ...inner, last];
  return isWhole ? [...new Set(values.map(Math.round))] : values;
}

/** Parameters with the several values that each of them takes. */
export type Swept = [ParameterHandle, JsonValue[]][];

/** Return the number of combinations. */
export const countPoints = (swept: Swept): number => swept.reduce((count, [, values]) => count * values.length, 1);

/** Return all combinations of values; the last parameter changes fastest. */
export function combine(swept: Swept): [ParameterHandle, JsonValue][][] {
  return swept.reduce<[ParameterHandle, JsonValue][][]>(
    (points, [parameter, values]) =>
      points.flatMap((point) => values.map((value): [ParameterHandle, JsonValue][] => [...point, [parameter, value]])),
    [[]],
  );
}
