import { optionParameters, toConfig } from '../../model/form/options';
import { t } from '../../model/messages';
import type { JsonValue, RunConfig } from '../../model/types';
import { h, replace } from '../dom';
import type { FormContext } from '../fields/control';
import { Field } from '../fields/field';

export interface OptionsPanel {
  element: HTMLElement;
  /** Make the fields; they hold the defaults. */
  build(defaults: RunConfig, place: FormContext): void;
  /** Return the settings that were given. */
  read(): RunConfig;
  /** Set every field, to its default if no value is given. */
  write(config: RunConfig): void;
  /** Return the fields with their problems, without showing them. */
  problems(): [Field, string][];
  /** Show the problems, open the section if there is one, and return them. */
  judge(): [Field, string][];
  /** Return the field of a setting that an error names, and open the section; null if there is none. */
  find(subject: string): Field | null;
}

/** The section of a form with the settings of its runs, closed at first. */
export function optionsPanel(changed: () => void): OptionsPanel {
  const grid = h('div', { class: 'rw-grid' });
  const element = h('details', { class: 'rw-section rw-run-options' }, h('summary', {}, t('options')), grid);
  let fields: Field[] = [];
  /** Settings without a field, which were set from Python. */
  let others: RunConfig = {};
  let isWriting = false;
  const touched = (): void => {
    if (!isWriting) changed();
  };
  const read = (): RunConfig => ({
    ...others,
    ...toConfig(
      fields.flatMap((field) => {
        const reading = field.change();
        return reading.isGiven ? [[field.parameter, reading.value] as const] : [];
      }),
    ),
  });
  const withProblems = (ask: (field: Field) => string | null): [Field, string][] =>
    fields.flatMap((field): [Field, string][] => {
      const problem = ask(field);
      return problem === null ? [] : [[field, problem]];
    });
  return {
    element,
    build(defaults, place) {
      fields = optionParameters(defaults).map((each) => new Field(each, place, touched, false, true));
      replace(grid, ...fields.map((field) => field.element));
    },
    read,
    write(config) {
      if (JSON.stringify(config) === JSON.stringify(read())) return;
      isWriting = true;
      const names = new Set(fields.map((field) => field.name));
      others = Object.fromEntries(Object.entries(config).filter(([name]) => !names.has(name)));
      for (const field of fields) {
        field.reset();
        const value = (config as { [name: string]: JsonValue })[field.name];
        if (value !== undefined) field.write(value);
      }
      isWriting = false;
      changed();
    },
    problems: () => withProblems((field) => field.problem()),
    judge() {
      const found = withProblems((field) => field.judge());
      if (found.length) element.open = true;
      return found;
    },
    find(subject) {
      const name = subject.startsWith('config.') ? subject.slice('config.'.length) : '';
      const field = fields.find((each) => each.name === name) ?? null;
      if (field) element.open = true;
      return field;
    },
  };
}
