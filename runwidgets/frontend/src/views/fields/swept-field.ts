import { problemOf, show } from '../../model/form/argument-validation';
import { logRow, MOST_POINTS, row } from '../../model/form/parameter-space';
import { type MessageKey, t } from '../../model/messages';
import type { Dtype, JsonValue, ParameterHandle } from '../../model/types';
import { h, replace } from '../dom';
import { type Control, type FormContext, isSame, textOf } from './control';
import { rows, tags } from './lists';
import type { NestField } from './records';

const MOST_CHECKS = 20;
const SHOWN = 8;

/** The control of several values of a parameter, for a sweep; it reads a list. */
export function several(parameter: ParameterHandle, place: FormContext, nest: NestField, changed: () => void): Control {
  const listed = { ...parameter, para: parameter };
  const count = (parameter.values ?? []).length;
  if (parameter.dtype === 'int' || parameter.dtype === 'float') return numbers(parameter, place, changed);
  if (parameter.dtype === 'bool')
    return checks(
      [
        { name: 'true', value: true },
        { name: 'false', value: false },
      ],
      changed,
    );
  if (parameter.dtype === 'select' && count <= MOST_CHECKS) return checks(parameter.values ?? [], changed);
  const isLine = parameter.dtype === 'string' && !textOf(parameter.defaultValue ?? '').includes('\n');
  return isLine ? tags(listed, place, changed) : rows(listed, nest, changed);
}

/** Several of a few values, as checkboxes. */
function checks(values: { name: string; value: JsonValue }[], changed: () => void): Control {
  const boxes = values.map(() => h('input', { type: 'checkbox', onchange: changed }));
  const element = h(
    'div',
    { class: 'rw-radios' },
    ...values.map(({ name }, at) => h('label', { class: 'rw-radio' }, boxes[at], h('bdi', {}, name))),
  );
  const check = (isChecked: (value: JsonValue) => boolean): void =>
    values.forEach(({ value }, at) => {
      const box = boxes[at];
      if (box) box.checked = isChecked(value);
    });
  return {
    element,
    input: element,
    isGroup: true,
    read: () => ({ isGiven: true, value: values.filter((_, at) => boxes[at]?.checked).map(({ value }) => value) }),
    write: (given) => check((value) => Array.isArray(given) && given.some((each) => isSame(each, value))),
    clear: () => check(() => false),
    focus: () => boxes[0]?.focus(),
  };
}

/** Numbers: one by one, at equal distances, or at equal ratios. */
function numbers(parameter: ParameterHandle, place: FormContext, changed: () => void): Control {
  const isWhole = parameter.dtype === 'int';
  const title = parameter.label ?? parameter.name;
  const list = tags({ ...parameter, para: parameter }, place, update);
  list.input.setAttribute('aria-label', t('valuesOf', { name: title }));
  const line = (word: MessageKey): HTMLInputElement =>
    h('input', {
      class: 'rw-input',
      type: 'text',
      inputmode: 'decimal',
      autocomplete: 'off',
      oninput: update,
      'aria-label': t('partOf', { part: t(word), name: title }),
    });
  const [first, last, step, count] = [line('rangeFrom'), line('rangeTo'), line('rangeStep'), line('rangeCount')];
  const kind = h(
    'select',
    { class: 'rw-input', 'aria-label': t('kindOf', { name: title }), onchange: turn },
    ...(['list', 'range', 'log'] as const).map((each) => h('option', { value: each }, t(`kind_${each}`))),
  );
  const body = h('div', { class: 'rw-spread' });
  const shown = h('div', { class: 'rw-help', role: 'status' });
  const element = h('div', { class: 'rw-several' }, kind, body, shown);

  function part(word: MessageKey, input: HTMLInputElement): HTMLElement {
    return h('span', { class: 'rw-part' }, h('span', { 'aria-hidden': 'true' }, t(word)), input);
  }
  function draw(): void {
    replace(
      body,
      ...(kind.value === 'list'
        ? [list.element]
        : [
            part('rangeFrom', first),
            part('rangeTo', last),
            kind.value === 'range' ? part('rangeStep', step) : part('rangeCount', count),
          ]),
    );
    tell();
  }
  /** A range begins with the least and the greatest number of the list. */
  function turn(): void {
    const reading = list.read();
    const held = (reading.isGiven && Array.isArray(reading.value) ? reading.value : [])
      .map(Number)
      .filter(Number.isFinite);
    if (kind.value !== 'list' && first.value === '' && held.length) first.value = String(Math.min(...held));
    if (kind.value !== 'list' && last.value === '' && held.length > 1) last.value = String(Math.max(...held));
    draw();
    changed();
  }
  function update(): void {
    tell();
    changed();
  }
  function tell(): void {
    const values = kind.value === 'list' ? [] : spread();
    const some = values.length > SHOWN ? [...values.slice(0, SHOWN - 2), '…', values.at(-1)] : values;
    shown.textContent = values.length ? t('valuesAre', { n: values.length, values: some.join(', ') }) : '';
    shown.hidden = values.length === 0;
  }
  function partProblem(): string | null {
    const isRange = kind.value === 'range';
    const [ofStep, partName]: [HTMLInputElement, MessageKey] = isRange ? [step, 'rangeStep'] : [count, 'rangeCount'];
    const parts: [HTMLInputElement, MessageKey, Dtype][] = [
      [first, 'rangeFrom', parameter.dtype],
      [last, 'rangeTo', parameter.dtype],
      [ofStep, partName, isRange ? parameter.dtype : 'int'],
    ];
    for (const [input, word, dtype] of parts) {
      const problem = problemOf({ name: parameter.name, dtype, index: 0, isRequired: true }, input.value);
      if (problem !== null) return `${t(word)}: ${problem}`;
    }
    const [begin, end, by] = [Number(first.value), Number(last.value), Number(ofStep.value)];
    if (begin >= end) return t('rangeOrder', { from: show(begin), to: show(end) });
    if (isRange) {
      if (by <= 0) return t('rangeNoStep');
      return (end - begin) / by >= MOST_POINTS ? t('tooMany', { most: MOST_POINTS }) : null;
    }
    if (begin <= 0) return t('rangeNotLog');
    if (by < 2 || by > MOST_POINTS) return t('rangeFew', { most: MOST_POINTS });
    return null;
  }
  function spread(): number[] {
    if (partProblem() !== null) return [];
    const [begin, end] = [Number(first.value), Number(last.value)];
    return kind.value === 'range'
      ? row(begin, end, Number(step.value))
      : logRow(begin, end, Number(count.value), isWhole);
  }
  draw();
  return {
    element,
    input: kind,
    isGroup: true,
    hint: list.hint,
    read: () => (kind.value === 'list' ? list.read() : { isGiven: true, value: spread() }),
    problem: (isShown) => {
      if (kind.value === 'list') return list.problem?.(isShown) ?? null;
      const problem = partProblem();
      if (problem !== null) return problem;
      return (
        spread()
          .map((each) => problemOf(parameter, each))
          .find((each) => each !== null) ?? null
      );
    },
    write: (value) => {
      kind.value = 'list';
      list.write(value);
      draw();
    },
    clear: () => {
      kind.value = 'list';
      list.clear();
      for (const input of [first, last, step, count]) input.value = '';
      draw();
    },
    focus: () => (list.input.isConnected ? list.input.focus() : first.focus()),
  };
}
