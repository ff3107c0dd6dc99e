import type { RunRow } from '../../model/runs/run-rows';
import { isActive } from '../../model/states';
import type { Direction } from '../../model/sweep/axes';
import { numericMetrics } from '../../model/sweep/sweep-summary';
import type { Objective } from '../../model/types';
import type { Model } from '../view';

/** What the heat map and the plot of a sweep show: what the model asks for, as far as the runs have it. */
export interface PlotSettings {
  /** The name of the metric, empty if there is none. */
  metric(): string;
  direction(): Direction;
  shows(): 'state' | 'metric';
  isLog(): boolean;
  across(varied: readonly string[]): string;
  down(varied: readonly string[]): string | null;
  /** The values of the other parameters that the heat map is restricted to, as JSON. */
  fixed: Map<string, string>;
}

/** Return the settings of a model; `rows` returns the runs, `objectives` what a search optimises. */
export function plotSettings(
  model: Model,
  rows: () => readonly RunRow[],
  objectives: () => readonly Objective[],
): PlotSettings {
  const text = (name: string): string => String(model.get(name) ?? '');
  function metric(): string {
    const names = numericMetrics(rows());
    const wanted = [text('metric'), ...objectives().map((each) => each.metric)];
    return wanted.find((name) => names.includes(name)) ?? names[0] ?? '';
  }
  const across = (varied: readonly string[]): string =>
    varied.includes(text('across')) ? text('across') : (varied[0] ?? '');
  return {
    metric,
    across,
    fixed: new Map(),
    direction() {
      const searched = objectives().find((each) => each.metric === metric())?.direction;
      return (text('direction') || searched) === 'maximize' ? 'maximize' : 'minimize';
    },
    isLog: () => model.get('is_log') !== false,
    down(varied) {
      const free = varied.filter((each) => each !== across(varied));
      return free.includes(text('down')) ? text('down') : (free[0] ?? null);
    },
    shows() {
      const wanted = text('shows');
      if (wanted !== '') return wanted === 'metric' ? 'metric' : 'state';
      return rows().some((row) => isActive(row.state)) || metric() === '' ? 'state' : 'metric';
    },
  };
}
