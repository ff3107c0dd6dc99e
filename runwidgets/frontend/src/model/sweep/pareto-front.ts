/** The best runs of a search for several objectives: those to which no other run is preferable. */

import type { RunRow } from '../runs/run-rows';
import type { Objective } from '../types';

/** Return the numbers of a run, the lower the better; null unless it succeeded with one for each objective. */
function costsOf(row: RunRow, objectives: readonly Objective[]): number[] | null {
  if (row.state !== 'SUCCESS') return null;
  const values = objectives.map(({ metric }) => row.metrics[metric]);
  if (!values.every((value) => typeof value === 'number')) return null;
  return values.map((value, at) => (objectives[at]?.direction === 'maximize' ? -value : value));
}

const isCovered = (costs: readonly number[], other: readonly number[]): boolean =>
  costs.every((cost, at) => cost >= (other[at] ?? 0));

/** Return the runs of the front: another run is better in one objective only where it is worse in another. */
export function frontOf(rows: readonly RunRow[], objectives: readonly Objective[]): RunRow[] {
  const measured = rows
    .map((row) => ({ row, costs: costsOf(row, objectives) }))
    .filter((each): each is { row: RunRow; costs: number[] } => each.costs !== null);
  const ordered = [...measured].sort(({ costs: one }, { costs: other }) => {
    const at = one.findIndex((cost, each) => cost !== other[each]);
    return at < 0 ? 0 : (one[at] ?? 0) - (other[at] ?? 0);
  });
  const front: number[][] = [];
  for (const { costs } of ordered) if (!front.some((other) => isCovered(costs, other))) front.push(costs);
  const keys = new Set(front.map((costs) => costs.join(' ')));
  return measured.filter(({ costs }) => keys.has(costs.join(' '))).map(({ row }) => row);
}
