import { problemOf } from '../../model/form/argument-validation';
import { t } from '../../model/messages';
import type { JsonValue, ParameterHandle } from '../../model/types';
import { h, replace } from '../dom';
import { type Control, type FormContext, NOTHING, presetOf, textOf } from './control';
import type { NestedField, NestField } from './records';

const LONG = 40;

/** Say whether the items of a list are short enough for tags: numbers, and text that is not long. */
export function isShort(parameter: ParameterHandle): boolean {
  const para = parameter.para;
  if (!para) return false;
  if (para.dtype === 'int' || para.dtype === 'float') return true;
  const preset = presetOf(parameter);
  const items = Array.isArray(preset) ? preset : [];
  return (
    para.dtype === 'string' &&
    !para.secret &&
    items.every((item) => textOf(item).length <= LONG && !textOf(item).includes('\n'))
  );
}

/** Return the first problem of the items of a list. */
function itemProblem(para: ParameterHandle, items: JsonValue[]): string | null {
  for (const [at, item] of items.entries()) {
    const problem = problemOf(para, item);
    if (problem !== null) return t('itemProblem', { n: at + 1, problem });
  }
  return null;
}

/** The control of short items: tags, typed one by one or pasted as lines; commas may separate numbers. */
export function tags(parameter: ParameterHandle, place: FormContext, changed: () => void): Control {
  const para = parameter.para as ParameterHandle;
  const isNumber = para.dtype === 'int' || para.dtype === 'float';
  const splits = isNumber ? /[\s,;]+/ : /\n+/;
  let items: string[] = [];
  let isTouched = false;
  const title = parameter.label ?? parameter.name;
  const list = h('ul', { class: 'rw-tags', 'aria-label': t('itemsOf', { name: title }) });
  const input = h('input', {
    class: 'rw-entry',
    type: 'text',
    spellcheck: 'false',
    autocomplete: 'off',
    inputmode: isNumber ? 'decimal' : null,
    placeholder: t('addItem'),
    oninput: typed,
    onkeydown: press,
    onpaste: paste,
    onblur: () => place.settled(settle),
  });
  const element = h(
    'div',
    {
      class: 'rw-input rw-tagbox',
      onclick: (event: Event) => {
        if (event.target === element) input.focus();
      },
    },
    list,
    input,
  );

  function pieces(text: string): string[] {
    return (isNumber ? text.split(splits) : text.split('\n')).map((each) => each.trim()).filter((each) => each !== '');
  }
  function draw(): void {
    replace(
      list,
      ...items.map((item, at) => {
        const isWrong = problemOf(para, item) !== null;
        return h(
          'li',
          { class: isWrong ? 'rw-tag rw-wrong' : 'rw-tag' },
          isWrong ? h('span', { 'aria-hidden': 'true' }, '✕ ') : null,
          h('bdi', {}, item),
          h(
            'button',
            {
              type: 'button',
              class: 'rw-untag',
              tabindex: -1,
              'aria-label': t('removeItem', { name: item }),
              onclick: () => remove(at),
              onkeydown: (event: KeyboardEvent) => walk(event, at),
            },
            '✕',
          ),
        );
      }),
    );
    list.hidden = items.length === 0;
  }
  function add(more: string[]): void {
    if (more.length === 0) return;
    items = [...items, ...more];
    isTouched = true;
    draw();
  }
  function remove(at: number): void {
    items = items.filter((_, index) => index !== at);
    isTouched = true;
    draw();
    changed();
    const buttons = list.querySelectorAll('button');
    (buttons[Math.min(at, buttons.length - 1)] ?? input).focus();
  }
  function walk(event: KeyboardEvent, at: number): void {
    const buttons = list.querySelectorAll('button');
    if (event.key === 'ArrowLeft') buttons[Math.max(0, at - 1)]?.focus();
    else if (event.key === 'ArrowRight') (buttons[at + 1] ?? input).focus();
    else if (event.key === 'Backspace' || event.key === 'Delete') remove(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  /** Text that is typed but not yet a tag counts too; a separator makes it a tag. */
  function typed(): void {
    isTouched = true;
    if (isNumber && splits.test(input.value)) {
      const all = pieces(input.value);
      const isOver = /[\s,;]$/.test(input.value);
      const rest = isOver ? '' : (all.pop() ?? '');
      add(all);
      input.value = rest;
    }
    changed();
  }
  function settle(): void {
    const text = input.value;
    if (text.trim() === '') return;
    input.value = '';
    add(isNumber ? pieces(text) : [text]);
    changed();
  }
  function press(event: KeyboardEvent): void {
    const isAtStart = input.selectionStart === 0 && input.selectionEnd === 0;
    if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey && input.value.trim() !== '') settle();
    else if (event.key === 'Backspace' && isAtStart && input.value === '' && items.length) {
      const last = items[items.length - 1] ?? '';
      items = items.slice(0, -1);
      isTouched = true;
      draw();
      input.value = last;
      changed();
    } else if (event.key === 'ArrowLeft' && isAtStart && items.length) {
      list.querySelectorAll('button')[items.length - 1]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function paste(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData('text') ?? '';
    if (!text.trim().includes('\n')) return;
    event.preventDefault();
    add(pieces(input.value + text));
    input.value = '';
    changed();
  }
  const all = (): string[] => [
    ...items,
    ...(input.value.trim() === '' ? [] : isNumber ? pieces(input.value) : [input.value]),
  ];
  draw();
  return {
    element,
    input,
    hint: t(isNumber ? 'tagsOfNumbers' : 'tagsOfText'),
    read: () => (isTouched ? { isGiven: true, value: all() } : NOTHING),
    problem: () => itemProblem(para, all()),
    write: (value) => {
      items = (Array.isArray(value) ? value : [value]).map(textOf);
      input.value = '';
      isTouched = true;
      draw();
    },
    clear: () => {
      items = [];
      input.value = '';
      isTouched = false;
      draw();
    },
  };
}

/** The control of longer items and of records: rows, each with a field of its own. */
export function rows(parameter: ParameterHandle, nest: NestField, changed: () => void): Control {
  const para = parameter.para as ParameterHandle;
  const title = parameter.label ?? parameter.name;
  let fields: NestedField[] = [];
  let isTouched = false;
  const list = h('ol', { class: 'rw-rows' });
  const button = h(
    'button',
    {
      type: 'button',
      class: 'rw-button',
      'aria-label': t('addTo', { name: title }),
      onclick: () => insert(fields.length),
    },
    `+ ${t('add')}`,
  );
  const element = h('div', { class: 'rw-list' }, list, button);
  const update = (): void => {
    isTouched = true;
    changed();
  };

  /** Redraw the rows, whose numbers are part of their names. */
  function draw(values: JsonValue[], isFilled: boolean[] = values.map(() => true)): void {
    fields = values.map((value, at) => {
      const field = nest(
        { ...para, name: `${parameter.name}[${at}]`, label: t('itemOf', { name: title, n: at + 1 }) },
        update,
        true,
      );
      if (isFilled[at]) field.write(value);
      return field;
    });
    replace(
      list,
      ...fields.map((field, at) => {
        const item = h(
          'li',
          { class: 'rw-itemrow' },
          field.element,
          h(
            'button',
            {
              type: 'button',
              class: 'rw-button rw-quiet',
              onclick: () => remove(at),
              'aria-label': t('removeItem', { name: field.title }),
              title: t('remove'),
            },
            '✕',
          ),
        );
        item.addEventListener('keydown', (event) => press(event, at));
        return item;
      }),
    );
    list.hidden = fields.length === 0;
  }
  function held(): { values: JsonValue[]; isFilled: boolean[] } {
    const readings = fields.map((field) => field.read());
    return {
      values: readings.map((each) => (each.isGiven ? each.value : null)),
      isFilled: readings.map((each) => each.isGiven),
    };
  }
  function insert(at: number): void {
    const { values, isFilled } = held();
    values.splice(at, 0, null);
    isFilled.splice(at, 0, false);
    draw(values, isFilled);
    update();
    fields[at]?.focus();
  }
  function remove(at: number): void {
    const { values, isFilled } = held();
    values.splice(at, 1);
    isFilled.splice(at, 1);
    draw(values, isFilled);
    update();
    (
      list.children[Math.min(at, fields.length - 1)]?.querySelector<HTMLElement>('input, select, textarea, button') ??
      button
    ).focus();
  }
  function press(event: KeyboardEvent, at: number): void {
    const isLine =
      event.target instanceof HTMLInputElement && !['checkbox', 'radio', 'range'].includes(event.target.type);
    if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || !isLine || para.dtype === 'record') return;
    event.preventDefault();
    event.stopPropagation();
    insert(at + 1);
  }
  draw([]);
  return {
    element,
    input: button,
    isGroup: true,
    hint: para.dtype === 'record' ? undefined : t('rowsHint'),
    read: () => (isTouched ? { isGiven: true, value: held().values } : NOTHING),
    problem: (isShown) => {
      const problems = fields.map((field) => {
        const reading = field.read();
        const problem = field.problem(isShown) ?? (reading.isGiven ? null : t('missing'));
        if (isShown) field.show(problem);
        return problem;
      });
      const at = problems.findIndex((each) => each !== null);
      return at < 0 ? null : t('itemProblem', { n: at + 1, problem: problems[at] ?? '' });
    },
    write: (value) => {
      isTouched = false;
      draw(Array.isArray(value) ? value : [value]);
      isTouched = true;
    },
    clear: () => {
      draw([]);
      isTouched = false;
    },
    focus: () => {
      const wrong = fields.find((field) => field.problem() !== null);
      if (wrong) wrong.focus();
      else button.focus();
    },
  };
}
