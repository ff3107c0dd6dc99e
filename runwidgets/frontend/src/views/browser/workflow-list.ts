import { t } from '../../model/messages';
import { matching } from '../../model/runs/live-workflows';
import type { WorkflowDescriptor } from '../../model/types';
import { h, replace } from '../dom';
import { moment } from '../form/earlier-runs';

export interface WorkflowList {
  element: HTMLElement;
  draw(list: readonly WorkflowDescriptor[], chosen: string): void;
}

/** The list of workflows with their descriptions and active runs; arrow keys move in it. */
export function workflowList(on: { chosen(id: string): void }): WorkflowList {
  let known: readonly WorkflowDescriptor[] = [];
  let chosen = '';
  let drawn = '';
  const filter = h('input', {
    class: 'rw-input',
    type: 'search',
    placeholder: t('filterWorkflows'),
    'aria-label': t('filterWorkflows'),
    spellcheck: 'false',
    oninput: draw,
  });
  const items = h('ul', { class: 'rw-entries', 'aria-label': t('workflows') });
  const none = h('div', { class: 'rw-dim', role: 'status' });
  const element = h('div', {}, filter, items, none);

  function row(each: WorkflowDescriptor, isReached: boolean): HTMLElement {
    const isChosen = each.id === chosen;
    const last = each.lastRunAt ? t('lastRun', { time: moment(each.lastRunAt) }) : t('neverRun');
    return h(
      'li',
      {},
      h(
        'button',
        {
          type: 'button',
          class: 'rw-entryrow rw-workflow',
          'data-workflow': each.id,
          tabindex: isReached ? 0 : -1,
          'aria-current': isChosen ? 'true' : null,
          onclick: () => on.chosen(each.id),
        },
        h('bdi', { class: 'rw-name-of' }, each.name),
        each.description ? h('bdi', { class: 'rw-about', title: each.description }, each.description) : null,
        h(
          'span',
          { class: 'rw-facts' },
          last,
          each.activeRuns > 0
            ? h('span', { class: 'rw-badge rw-running' }, `▶ ${t('activeRuns', { n: each.activeRuns })}`)
            : null,
        ),
      ),
    );
  }

  function draw(): void {
    const shown = matching(known, filter.value);
    filter.hidden = known.length < 6 && filter.value === '';
    none.textContent = shown.length === 0 && known.length > 0 ? t('noWorkflowMatches', { filter: filter.value }) : '';
    const key = JSON.stringify([shown, chosen]);
    if (drawn === key) return;
    drawn = key;
    const focused = (element.ownerDocument.activeElement as HTMLElement | null)?.dataset.workflow;
    const reached = [focused, chosen].find((id) => shown.some((each) => each.id === id)) ?? shown[0]?.id;
    replace(items, ...shown.map((each) => row(each, each.id === reached)));
    if (focused) find(focused)?.focus({ preventScroll: true });
  }

  const find = (id: string): HTMLElement | undefined =>
    [...items.querySelectorAll<HTMLElement>('[data-workflow]')].find((each) => each.dataset.workflow === id);

  /** Scroll the list only, not the page. */
  function bringInSight(row: HTMLElement | undefined): void {
    if (!row) return;
    const [place, all] = [row.getBoundingClientRect(), items.getBoundingClientRect()];
    if (place.top < all.top) items.scrollTop -= all.top - place.top;
    else if (place.bottom > all.bottom) items.scrollTop += place.bottom - all.bottom;
  }

  items.addEventListener('keydown', (event) => {
    const rows = [...items.querySelectorAll<HTMLElement>('[data-workflow]')];
    const at = rows.indexOf(event.target as HTMLElement);
    const steps: { [key: string]: number } = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
    const target = steps[event.key];
    if (target === undefined || at < 0) return;
    event.preventDefault();
    const next = rows[Math.max(0, Math.min(rows.length - 1, target))];
    rows.forEach((each) => {
      each.tabIndex = each === next ? 0 : -1;
    });
    next?.focus();
  });
  return {
    element,
    draw(list, now) {
      known = list;
      const isOther = now !== chosen;
      chosen = now;
      draw();
      if (isOther) bringInSight(find(now));
    },
  };
}
