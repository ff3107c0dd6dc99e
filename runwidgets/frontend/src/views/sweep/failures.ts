import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { describePoint, groupFailures } from '../../model/sweep/sweep-summary';
import { h, replace } from '../dom';

const REASONS = 20;

/** List the failures by reason, the most frequent first, each with a message; `open` shows its first run. */
export function drawFailures(
  place: HTMLElement,
  rows: readonly RunRow[],
  varied: readonly string[],
  open: (id: string) => void,
): void {
  const groups = groupFailures(rows);
  place.hidden = groups.length === 0;
  const key = groups
    .map(({ reason, cell, messages: { size }, rows }) => [reason, cell, size, rows.length, rows[0].id])
    .join('\n');
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  const n = groups.reduce((sum, { rows: found }) => sum + found.length, 0);
  replace(
    place,
    h('summary', {}, t('failedOf', { n })),
    h(
      'ul',
      { class: 'rw-reasons' },
      ...groups.slice(0, REASONS).map(({ messages, rows: found }) =>
        h(
          'li',
          {},
          h('span', {}, `${found.length} × `),
          h('bdi', { class: 'rw-what' }, visible(found[0].message ?? '') || t('noReason')),
          messages.size > 1 ? h('span', { class: 'rw-dim' }, ` ${t('oneOfMessages', { n: messages.size })}`) : null,
          h(
            'button',
            {
              type: 'button',
              class: 'rw-button rw-quiet',
              'aria-label': t('openFirst', { where: describePoint(found[0], varied) }),
              onclick: () => open(found[0].id),
            },
            t('open'),
          ),
        ),
      ),
    ),
  );
}
