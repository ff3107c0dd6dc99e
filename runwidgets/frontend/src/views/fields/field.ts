import { isBlank, problemOf, show, takesNone } from '../../model/form/argument-validation';
import { describeRange, parseRange } from '../../model/form/ranges';
import { t } from '../../model/messages';
import type { JsonValue, ParameterHandle } from '../../model/types';
import { h, uniqueId } from '../dom';
import { choices, suggestions, toggle } from './choices';
import { type Control, type FormContext, isSame, NOTHING, presetOf, type Reading } from './control';
import { files } from './file-field';
import { json } from './json';
import { isShort, rows, tags } from './lists';
import { orNone } from './or-none';
import { record } from './records';
import { slider, sliderOf } from './slider';
import { several } from './swept-field';
import { line } from './text';

const MOST_RADIOS = 4;
const MOST_OPTIONS = 20;

/** The field of a parameter: its label, its control, its help and its problem. */
export class Field {
  readonly element: HTMLElement;
  private readonly control: Control;
  private readonly severalButton: HTMLButtonElement;
  private readonly label: HTMLLabelElement | null;
  /** The control of several values, once the field was switched to it. */
  private many: Control | null = null;
  private readonly error = h('div', { class: 'rw-problem', id: uniqueId('problem'), hidden: true });
  private readonly resetButton: HTMLButtonElement;
  private initial: Reading = { isGiven: false };
  private wasLeft = false;

  constructor(
    readonly parameter: ParameterHandle,
    private readonly place: FormContext,
    private readonly changed: () => void,
    isItem = false,
    isInside = false,
  ) {
    const plain = controlFor(parameter, place, () => this.touch());
    const control = hasNone(parameter) ? orNone(plain, () => this.touch()) : plain;
    this.control = control;
    const title = parameter.label ?? parameter.name;
    const required = parameter.isRequired && !isItem ? h('span', { class: 'rw-required' }, ` ${t('required')}`) : null;
    const help = h('div', { class: 'rw-help', id: uniqueId('help') }, ...helpOf(parameter, control, isItem));
    help.hidden = help.childNodes.length === 0;
    const about = `${help.id} ${this.error.id}`;
    this.resetButton = h(
      'button',
      {
        type: 'button',
        class: 'rw-reset',
        title: t('reset'),
        'aria-label': `${t('reset')}: ${title}`,
        hidden: true,
        onclick: () => this.restore(),
      },
      `↺ ${t('resetShort')}`,
    );
    this.severalButton = h('button', {
      type: 'button',
      class: 'rw-reset rw-switch',
      onclick: () => this.turn(),
    });
    this.tellSwitch();
    const ends = isItem
      ? null
      : h('span', { class: 'rw-ends' }, parameter.secret || isInside ? null : this.severalButton, this.resetButton);
    const name =
      !isItem && parameter.label && parameter.label !== parameter.name ? h('code', {}, parameter.name) : null;
    this.label = control.isGroup ? null : h('label', { class: 'rw-name-of' }, title);
    if (!this.label) {
      const legend = h('legend', { class: 'rw-label' }, h('span', { class: 'rw-name-of' }, title), required, name);
      this.element = h(
        'fieldset',
        { class: 'rw-field rw-fieldset', 'aria-describedby': about },
        legend,
        ends,
        control.element,
        this.error,
        help,
      );
    } else {
      control.input.id ||= uniqueId('input');
      control.input.setAttribute('aria-describedby', about);
      if (parameter.isRequired) control.input.setAttribute('aria-required', 'true');
      this.label.htmlFor = control.input.id;
      this.element = h(
        'div',
        { class: 'rw-field' },
        h('div', { class: 'rw-label' }, this.label, required, name, ends),
        control.element,
        this.error,
        help,
      );
    }
    if (isItem) this.element.classList.add('rw-item');
    this.element.dataset.parameter = parameter.name;
    this.element.addEventListener('focusout', (event) => {
      if (event.relatedTarget instanceof Node && this.element.contains(event.relatedTarget)) return;
      place.settled(() => {
        this.wasLeft = true;
        this.judge();
      });
    });
    this.reset();
  }

  get name(): string {
    return this.parameter.name;
  }

  get title(): string {
    return this.parameter.label ?? this.parameter.name;
  }

  /** Whether its value differs from the initial one. */
  get isModified(): boolean {
    return !this.resetButton.hidden;
  }

  focus(): void {
    const control = this.many ?? this.control;
    if (control.focus) control.focus();
    else control.input.focus();
  }

  /** Return the value to send: nothing if it is the default. */
  read(): Reading {
    return this.control.read();
  }

  /** Return the values of a sweep, null if the field has one value. */
  values(): JsonValue[] | null {
    if (!this.many) return null;
    const reading = this.many.read();
    return reading.isGiven && Array.isArray(reading.value) ? reading.value : [];
  }

  /** Return the value to send, or nothing if it is the initial one or if there are several. */
  change(): Reading {
    if (this.many) return NOTHING;
    const reading = this.read();
    const preset = this.parameter.defaultValue;
    const isDefault =
      reading.isGiven &&
      preset !== undefined &&
      (isSame(reading.value, preset) || JSON.stringify(reading) === JSON.stringify(this.initial));
    return isDefault ? { isGiven: false } : reading;
  }

  write(value: JsonValue): void {
    this.control.write(value);
    this.touch();
  }

  /** Hold several values. */
  writeValues(values: JsonValue[]): void {
    this.switchTo(true);
    this.many?.write(values);
    this.touch();
  }

  /** Go back to the default, silently. */
  reset(): void {
    this.switchTo(false);
    this.control.clear();
    const preset = presetOf(this.parameter);
    if (preset !== null && this.parameter.dtype !== 'file') this.control.write(preset);
    this.initial = this.control.read();
    this.wasLeft = false;
    this.show(null);
    this.resetButton.hidden = true;
  }

  /** Return what is wrong, without showing it. */
  problem(isShown = false): string | null {
    const isSent = this.many !== null || !this.read().isGiven || this.change().isGiven;
    const own = (isSent && (this.many ?? this.control).problem?.(isShown)) || null;
    if (own !== null) return own;
    if (this.many) return this.values()?.length ? null : t('noValues');
    const reading = this.read();
    if (reading.isGiven) return problemOf(this.parameter, reading.value);
    return this.parameter.isRequired ? t('missing') : null;
  }

  /** Whether it needs a value and has none. */
  get isMissing(): boolean {
    if (this.many) return false;
    const reading = this.read();
    return reading.isGiven ? isBlank(this.parameter, reading.value) : this.parameter.isRequired;
  }

  /** Return what is wrong, and show it. */
  judge(): string | null {
    const problem = this.problem(true);
    this.wasLeft = true;
    this.show(problem);
    return problem;
  }

  show(problem: string | null): void {
    this.error.hidden = problem === null;
    this.error.textContent = problem ?? '';
    this.element.classList.toggle('rw-wrong', problem !== null);
    if (this.control.isGroup || this.many) return; // a group has no such attribute; its description says it
    if (problem === null) this.control.input.removeAttribute('aria-invalid');
    else this.control.input.setAttribute('aria-invalid', 'true');
  }

  /** Switch between one value and several; the value is taken over. */
  private turn(): void {
    const [only] = this.values() ?? [];
    const reading = this.control.read();
    this.switchTo(!this.many);
    if (this.many && reading.isGiven) this.many.write([reading.value]);
    else if (!this.many && only !== undefined) this.control.write(only);
    this.wasLeft = false;
    this.show(null);
    this.touch();
  }

  private switchTo(isSeveral: boolean): void {
    if (isSeveral === (this.many !== null)) return;
    const shown = this.many ?? this.control;
    if (isSeveral) {
      const nest = (inner: ParameterHandle, changed: () => void, isItem = false): Field =>
        new Field(inner, this.place, changed, isItem, true);
      this.many = several(this.parameter, this.place, nest, () => this.touch());
      if (!this.many.isGroup) this.many.input.setAttribute('aria-label', t('valuesOf', { name: this.title }));
    } else this.many = null;
    const next = this.many ?? this.control;
    shown.element.replaceWith(next.element);
    if (this.many) {
      this.many.element.setAttribute('role', 'group');
      this.many.element.setAttribute('aria-label', t('valuesOf', { name: this.title }));
      this.label?.removeAttribute('for');
    } else if (this.label) this.label.htmlFor = this.control.input.id;
    this.element.classList.toggle('rw-swept', isSeveral);
    this.tellSwitch();
  }

  private tellSwitch(): void {
    const text = t(this.many ? 'oneValue' : 'several');
    this.severalButton.textContent = text;
    this.severalButton.title = t(this.many ? 'oneValueHint' : 'severalHint');
    this.severalButton.setAttribute('aria-label', `${text}: ${this.title}`);
  }

  private restore(): void {
    this.reset();
    this.focus();
    this.changed();
  }

  private touch(): void {
    const reading = this.read();
    this.resetButton.hidden =
      this.many === null &&
      (JSON.stringify(reading) === JSON.stringify(this.initial) ||
        (reading.isGiven && isSame(reading.value, presetOf(this.parameter))));
    if (this.wasLeft) this.show(this.problem());
    this.changed();
  }
}

/** Say whether None is a value that an empty field does not stand for. */
const hasNone = (parameter: ParameterHandle): boolean =>
  parameter.nullable === true && (presetOf(parameter) !== null || parameter.computed === true);

/** Return a help text for fields whose control does not show what they take. */
const kindOf = ({ dtype, isRequired, defaultValue }: ParameterHandle): string | null => {
  const kind = dtype === 'int' ? t('wholeNumber') : dtype === 'float' ? t('aNumber') : null;
  const isOptional = !isRequired && (defaultValue === undefined || defaultValue === null);
  return isOptional && kind ? `${kind}, ${t('orNothing')}` : kind;
};

function helpOf(parameter: ParameterHandle, control: Control, isItem: boolean): Node[] {
  const range = parseRange(parameter.range);
  const preset = presetOf(parameter);
  const parts = [
    parameter.help ?? (range || isItem ? null : kindOf(parameter)),
    range ? describeRange(range) : null,
    control.hint,
    preset === null || preset === '' || isItem ? null : t('default', { value: show(preset) }),
    parameter.computed ? t('computed', { code: parameter.source ?? '' }) : null,
  ].filter((each): each is string => Boolean(each));
  return parts.flatMap((part, at) => [...(at ? [document.createTextNode(' · ')] : []), h('bdi', {}, part)]);
}

/** Choose the control of a parameter by its type and constraints; an unknown type is JSON. */
export function controlFor(parameter: ParameterHandle, place: FormContext, changed: () => void): Control {
  const nest = (inner: ParameterHandle, changed: () => void, isItem = false): Field =>
    new Field(inner, place, changed, isItem, true);
  switch (parameter.dtype) {
    case 'bool':
      return typeof presetOf(parameter) === 'boolean' ? toggle(changed) : choices(booleans(parameter), changed, true);
    case 'select': {
      const count = (parameter.values ?? []).length;
      if (count > MOST_OPTIONS) return suggestions(parameter, place, changed);
      return choices(parameter, changed, count <= MOST_RADIOS);
    }
    case 'int':
    case 'float': {
      const ends = sliderOf(parameter);
      return ends ? slider(parameter, ends, changed) : line(parameter, changed);
    }
    case 'string':
    case 'date':
    case 'datetime':
      return line(parameter, changed);
    case 'file':
      return files(parameter, place, changed);
    case 'list': {
      const { para } = parameter;
      if (!para || para.dtype === 'list' || (para.dtype === 'record' && !para.fields)) return json(changed);
      return isShort(parameter) ? tags(parameter, place, changed) : rows(parameter, nest, changed);
    }
    case 'record':
      return parameter.fields ? record(parameter, nest, changed) : json(changed);
    default:
      return { ...json(changed), hint: t('anyHint') };
  }
}

const booleans = (parameter: ParameterHandle): ParameterHandle => ({
  ...parameter,
  values: [
    { name: 'true', value: true },
    { name: 'false', value: false },
  ],
  isRequired: !takesNone(parameter),
});
