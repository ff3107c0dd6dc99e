import type { ParameterGroup } from '../../model/types';
import { h } from '../dom';
import type { Field } from '../fields/field';

/** Lay out fields: those without a group first, then each group under its title. */
export function layOutFields(fields: readonly Field[], groups: readonly ParameterGroup[]): HTMLElement[] {
  const known = new Set(groups.map((each) => each.name));
  const rest = fields.filter((field) => !field.parameter.group || !known.has(field.parameter.group));
  const named = groups.flatMap((each) => {
    const own = fields.filter((field) => field.parameter.group === each.name);
    const legend = h('legend', {}, h('bdi', {}, each.title ?? each.name));
    return own.length ? [h('fieldset', { class: 'rw-group' }, legend, grid(own))] : [];
  });
  return rest.length ? [grid(rest), ...named] : named;
}

const grid = (fields: readonly Field[]): HTMLElement =>
  h('div', { class: 'rw-grid' }, ...fields.map((field) => field.element));
