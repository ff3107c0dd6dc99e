import { t } from '../../model/messages';
import type { RunRow } from '../../model/runs/run-rows';
import { isActive } from '../../model/states';
import { ApiError, type Transport } from '../../model/transport';
import { h, replace } from '../dom';
import { askingButton, type Typed } from '../question';

const AT_ONCE = 6;
const MOST_COMPARED = 10;
/** Above this number of runs, deleting them must be confirmed by typing the number. */
const MANY = 50;

/** Return what must be typed before runs are deleted; undefined if a click is enough. */
export const typedFor = (n: number): Typed | undefined =>
  n > MANY ? { text: String(n), label: t('typeCount', { n }) } : undefined;

/** Do something with each item, a few at a time; an error does not stop the rest. Returns the messages of the errors. */
export async function forEach<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<string[]> {
  const waiting = [...items];
  const refused: string[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
        try {
          await act(item);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          refused.push(error.message);
        }
      }
    }),
  );
  return refused;
}

export interface BulkActions {
  transport: Transport;
  mayAct: boolean;
  compare(rows: readonly RunRow[]): void;
  clear(): void;
  /** Called with the errors of requests that were refused. */
  refused(problems: readonly string[]): void;
}

/** Draw what can be done with the selected runs. */
export function drawBulkActions(bulk: HTMLElement, rows: readonly RunRow[], on: BulkActions): void {
  const active = rows.filter((row) => isActive(row.state));
  const ended = rows.filter((row) => !isActive(row.state));
  const selected = rows.map((row) => row.id).join();
  const key = `${selected} ${active.length}`;
  bulk.hidden = rows.length === 0;
  const isAsking = bulk.querySelector('.rw-question') !== null && bulk.dataset.selected === selected;
  if (bulk.dataset.key === key || isAsking) return; // a question stays when a run ends in the meantime
  bulk.dataset.selected = selected;
  bulk.dataset.key = key;
  const n = (of: readonly RunRow[]): { n: string } => ({ n: of.length.toLocaleString() });
  const each = async (of: readonly RunRow[], act: (row: RunRow) => Promise<unknown>): Promise<void> => {
    const problems = await forEach(of, act);
    if (problems.length) on.refused(problems);
  };
  const isTooMany = rows.length > MOST_COMPARED;
  replace(
    bulk,
    h('span', { role: 'status' }, t('selectedCount', n(rows))),
    rows.length > 1 &&
      h(
        'button',
        {
          type: 'button',
          class: 'rw-button',
          disabled: isTooMany,
          onclick: () => on.compare(rows),
          title: isTooMany ? t('compareMost', { n: MOST_COMPARED }) : '',
        },
        t('compare'),
      ),
    on.mayAct &&
      active.length > 0 &&
      askingButton(
        {
          label: t('cancelMany', n(active)),
          ask: () => t('cancelManyAsk', n(active)),
          yes: t('cancelYes'),
          busy: t('cancelling'),
          no: t('no'),
        },
        () => each(active, (row) => on.transport.send('PUT', `runs/${row.id}`, {})),
      ),
    on.mayAct &&
      ended.length > 0 &&
      askingButton(
        {
          label: t('deleteMany', n(ended)),
          ask: () => t('deleteManyAsk', n(ended)),
          yes: t('deleteYes'),
          busy: t('deleting'),
          no: t('no'),
          kind: 'rw-quiet',
          typed: typedFor(ended.length),
        },
        () => each(ended, (row) => on.transport.send('DELETE', `runs/${row.id}`)),
      ),
    h('button', { type: 'button', class: 'rw-button rw-quiet', onclick: on.clear }, t('clearSelection')),
  );
}
