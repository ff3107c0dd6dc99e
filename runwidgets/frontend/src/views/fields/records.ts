import { takesNone } from '../../model/form/argument-validation';
import { t } from '../../model/messages';
import type { JsonValue, ParameterHandle } from '../../model/types';
import { h } from '../dom';
import { type Control, NOTHING, presetOf, type Reading } from './control';

/** What a list or a record needs of its nested fields. */
export interface NestedField {
  readonly name: string;
  readonly title: string;
  readonly element: HTMLElement;
  readonly isModified: boolean;
  read(): Reading;
  write(value: JsonValue): void;
  reset(): void;
  focus(): void;
  problem(isShown?: boolean): string | null;
  show(problem: string | null): void;
}

/** Make a nested field; an item of a list has no default of its own. */
export type NestField = (parameter: ParameterHandle, changed: () => void, isItem?: boolean) => NestedField;

/** The control of a record: its fields. */
export function record(parameter: ParameterHandle, nest: NestField, changed: () => void): Control {
  let isTouched = false;
  const fields = (parameter.fields ?? []).map((each) =>
    nest(each, () => {
      isTouched = true;
      changed();
    }),
  );
  const element = h('div', { class: 'rw-record' }, ...fields.map((field) => field.element));
  let odd: JsonValue = null;
  let others: { [name: string]: JsonValue } = {};
  const isLeft = (): boolean => !isTouched && (takesNone(parameter) || presetOf(parameter) !== null);
  return {
    element,
    input: element,
    isGroup: true,
    hint: takesNone(parameter) ? t('emptyRecord') : undefined,
    read: () => {
      if (odd !== null) return { isGiven: true, value: odd };
      if (isLeft()) return NOTHING;
      const value: { [name: string]: JsonValue } = {};
      for (const field of fields) {
        const reading = field.read();
        if (reading.isGiven) value[field.name] = reading.value;
      }
      Object.assign(value, others);
      return isTouched || Object.keys(value).length ? { isGiven: true, value } : NOTHING;
    },
    problem: (isShown) => {
      const isQuiet = isLeft();
      const problems = fields.map((field) => {
        const problem = isQuiet ? null : field.problem(isShown);
        if (isShown) field.show(problem);
        return problem;
      });
      const unknown = Object.keys(others)[0];
      if (unknown !== undefined) return t('unknownField', { name: unknown });
      const at = problems.findIndex((each) => each !== null);
      return at < 0 ? null : `${fields[at]?.title ?? ''}: ${problems[at] ?? ''}`;
    },
    write: (value) => {
      for (const field of fields) field.reset();
      const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
      odd = isRecord ? null : value;
      others = {};
      for (const [name, each] of isRecord ? Object.entries(value) : []) {
        const field = fields.find((known) => known.name === name);
        if (field) field.write(each);
        else others[name] = each;
      }
      isTouched = value !== null;
    },
    clear: () => {
      for (const field of fields) field.reset();
      odd = null;
      others = {};
      isTouched = false;
    },
    focus: () => (fields.find((field) => field.problem() !== null) ?? fields[0])?.focus(),
  };
}
