import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { describePoint, groupFailures } from '../../model/sweep/sweep-summary';
import { h, replace } from '../dom';

const REASONS = 20;

/** List the failures by message, the most frequent first; `open` shows the first run of one. */
export function drawFailures(
  place: HTMLElement,
  rows: readonly RunRow[],
  varied: readonly string[],
  open: (id: string) => void,
): void {
  const groups = groupFailures(rows);
  place.hidden = groups.length === 0;
  const key = groups.map(({ message, rows: found }) => `${found.length} ${message}`).join('\n');
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const n = groups.reduce((sum, { rows: found }) => sum + found.length, 0);
  replace(
    place,
    h('summary', {}, t('failedOf', { n })),
    h(
      'ul',
      { class: 'rw-reasons' },
      ...groups.slice(0, REASONS).map(({ message, rows: found }) =>
        h(
          'li',
          {},
          h('span', {}, `${found.length} × `),
          h('bdi', { class: 'rw-what' }, visible(message) || t('noReason')),
          h(
            'button',
            {
              type: 'button',
              class: 'rw-button rw-quiet',
              'aria-label': t('openFirst', { where: describePoint(found[0] as RunRow, varied) }),
              onclick: () => open((found[0] as RunRow).id),
            },
            t('open'),
          ),
        ),
      ),
    ),
  );
}
