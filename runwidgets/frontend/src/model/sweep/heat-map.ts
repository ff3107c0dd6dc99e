/** The runs of a sweep in a grid of two parameters. */

import type { RunRow } from '../runs/run-rows';
import type { JsonValue } from '../types';
import { keyOf, makeAxis } from './axes';

export interface Grid {
  rows: JsonValue[];
  columns: JsonValue[];
  /** The runs in a cell of the grid. */
  at(row: JsonValue, column: JsonValue): readonly RunRow[];
  /** The number of values that the grid has no space for. */
  leftOut: number;
}

/** Put runs into a grid of two parameters; the parameters in `fixed` must have the value that is given there. */
export function makeGrid(
  rows: readonly RunRow[],
  down: string | null,
  across: string,
  fixed: ReadonlyMap<string, string>,
  most = 60,
): Grid {
  const others = [...fixed].filter(([name]) => name !== down && name !== across);
  const kept = rows.filter((row) => others.every(([name, key]) => keyOf(row.arguments[name] ?? null) === key));
  const downs =
    down === null
      ? [null]
      : makeAxis(
          down,
          kept.map((row) => row.arguments[down] ?? null),
        ).values;
  const acrosses = makeAxis(
    across,
    kept.map((row) => row.arguments[across] ?? null),
  ).values;
  const cells = new Map<string, RunRow[]>();
  for (const row of kept) {
    const key = `${keyOf(down === null ? null : (row.arguments[down] ?? null))} ${keyOf(row.arguments[across] ?? null)}`;
    const known = cells.get(key);
    if (known) known.push(row);
    else cells.set(key, [row]);
  }
  return {
    rows: downs.slice(0, most),
    columns: acrosses.slice(0, most),
    at: (row, column) => cells.get(`${keyOf(row)} ${keyOf(column)}`) ?? [],
    leftOut: Math.max(0, downs.length - most) + Math.max(0, acrosses.length - most),
  };
}
