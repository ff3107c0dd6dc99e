import { t } from '../../model/messages';
import { h, replace } from '../dom';
import type { Field } from '../fields/field';

/** A problem, and the field that has it; null for a problem of the request as a whole. */
export type Problem = readonly [Field | null, string];

/** Make a box that lists problems with links to their fields, and shows it. */
export function problemSummary(): { element: HTMLElement; show(problems: readonly Problem[]): void } {
  const element = h('div', { class: 'rw-failure', role: 'alert', tabindex: -1, hidden: true });

  function item([field, text]: Problem): HTMLElement {
    const onclick = (event: Event): void => {
      event.preventDefault();
      field?.focus();
    };
    return h('li', {}, h('a', { href: '#', onclick }, field?.title ?? ''), `: ${text}`);
  }

  return {
    element,
    show(problems) {
      element.hidden = problems.length === 0;
      const [first] = problems;
      if (!first) return;
      if (problems.every(([field]) => field !== null)) {
        const count = problems.length === 1 ? t('oneField') : t('manyFields', { n: problems.length });
        replace(element, t('fixProblems', { n: count }), h('ul', {}, ...problems.map(item)));
      } else replace(element, first[1]);
      (first[0] ?? element).focus();
    },
  };
}
