/** The series of a run: values of metrics by step. */

import type { MetricRecord, RunSeries } from '../types';

export type Points = [number, number][];

/** The series of one run: as fetched, and as events have extended them since. */
export class MetricSeries {
  private byName = new Map<string, Map<number, number>>();
  private attempt = 0;

  get names(): string[] {
    return [...this.byName.keys()];
  }

  /** Return the points of a series that are numbers, by step. */
  points(name: string): Points {
    return [...(this.byName.get(name) ?? [])]
      .filter(([, value]) => Number.isFinite(value))
      .sort(([one], [other]) => one - other);
  }

  /** Add fetched series; points that events brought in the meantime are kept. */
  read(answer: RunSeries): void {
    for (const [name, { steps, values }] of Object.entries(answer.series)) {
      const known = this.byName.get(name) ?? new Map<number, number>();
      const read = new Map(steps.map((step, at) => [step, Number(values[at])]));
      this.byName.set(name, new Map([...read, ...known]));
    }
  }

  /** Add the points of an event; says whether it has any. A new attempt replaces the points of the last. */
  take({ name, attempt = 0, points }: MetricRecord): boolean {
    if (!points) return false;
    if (attempt > this.attempt && this.attempt > 0) this.byName.clear();
    this.attempt = Math.max(attempt, this.attempt);
    const known = this.byName.get(name) ?? new Map<number, number>();
    for (const [step, value] of points) known.set(step, Number(value));
    this.byName.set(name, known);
    return true;
  }
}

/** Return at most `most` points, the first and the last among them. */
export function thinned(points: Points, most: number): Points {
  if (points.length <= most) return points;
  const last = points.length - 1;
  return Array.from({ length: most }, (_, at) => points[Math.round((at * last) / (most - 1))] as [number, number]);
}

/** Return the point whose step is nearest. */
export function nearest(points: Points, step: number): [number, number] | null {
  let best: [number, number] | null = null;
  for (const point of points) if (!best || Math.abs(point[0] - step) < Math.abs(best[0] - step)) best = point;
  return best;
}
