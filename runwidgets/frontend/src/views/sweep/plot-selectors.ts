import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { label } from '../../model/sweep/axes';
import { numericMetrics } from '../../model/sweep/sweep-summary';
import type { JsonValue } from '../../model/types';
import { h, replace } from '../dom';
import type { PlotSettings } from './plot-settings';

const MOST_VALUES = 200;

function select(
  text: string,
  options: [string, string][],
  selected: string,
  change: (value: string) => void,
): HTMLElement {
  const box = h(
    'select',
    { class: 'rw-input', onchange: () => change(box.value) },
    ...options.map(([value, shown]) => h('option', { value, selected: value === selected }, visible(shown, true))),
  );
  return h('label', { class: 'rw-pick' }, visible(text, true), box);
}

/** Draw the selectors of the heat map and the plot, unless one of them has the focus. */
export function drawSelectors(
  tools: HTMLElement,
  settings: PlotSettings,
  rows: readonly RunRow[],
  varied: readonly string[],
  changed: (values: { [name: string]: JsonValue }) => void,
): void {
  const { fixed } = settings;
  const metrics = numericMetrics(rows);
  const [metric, direction, shows] = [settings.metric(), settings.direction(), settings.shows()];
  const [down, across, isLog] = [settings.down(varied), settings.across(varied), settings.isLog()];
  const key = JSON.stringify([
    ...[metrics, metric, direction, varied, down, across, shows, isLog],
    ...[rows.length, [...fixed]],
  ]);
  if (tools.dataset.key === key || tools.contains(tools.ownerDocument.activeElement)) return;
  tools.dataset.key = key;
  tools.hidden = varied.length === 0;
  const change = (values: { [name: string]: JsonValue }): void => {
    delete tools.dataset.key;
    changed(values);
  };
  const same = (names: readonly string[]): [string, string][] => names.map((each) => [each, each]);
  const directions: [string, string][] = [
    ['minimize', t('lower')],
    ['maximize', t('higher')],
  ];
  const cells: [string, string][] = [
    ['state', t('state')],
    ['metric', t('ofMetric')],
  ];
  const scales: [string, string][] = [
    ['yes', t('logWhere')],
    ['no', t('linear')],
  ];
  const has = metrics.length > 0;
  const others = varied.filter((each) => each !== down && each !== across);
  replace(
    tools,
    has && select(t('ofMetric'), same(metrics), metric, (value) => change({ metric: value })),
    has && select(t('better'), directions, direction, (value) => change({ direction: value })),
    has && select(t('gridShows'), cells, shows, (value) => change({ shows: value })),
    varied.length > 1 && select(t('down'), same(varied), down ?? '', (value) => change({ down: value })),
    varied.length > 1 && select(t('across'), same(varied), across, (value) => change({ across: value })),
    ...others.map((name) => {
      const values = [...new Set(rows.map((row) => JSON.stringify(row.arguments[name] ?? null)))].slice(0, MOST_VALUES);
      const options = values.map((value): [string, string] => [value, label(JSON.parse(value) as JsonValue)]);
      return select(name, [['', t('allValues')], ...options], fixed.get(name) ?? '', (value) => {
        if (value === '') fixed.delete(name);
        else fixed.set(name, value);
        change({});
      });
    }),
    has && select(t('scale'), scales, isLog ? 'yes' : 'no', (value) => change({ is_log: value === 'yes' })),
  );
}
