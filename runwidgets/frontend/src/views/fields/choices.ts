import { show, takesNone } from '../../model/form/argument-validation';
import { t } from '../../model/messages';
import type { JsonValue, ParameterHandle } from '../../model/types';
import { h, replace, uniqueId } from '../dom';
import { type Control, type FormContext, isSame, NOTHING, presetOf, type Reading } from './control';

/** The control of true or false, for a parameter with a default. */
export function toggle(changed: () => void): Control {
  const input = h('input', { type: 'checkbox', class: 'rw-toggle', onchange: changed });
  return {
    element: h('div', {}, input),
    input,
    read: () => ({ isGiven: true, value: input.checked }),
    write: (value) => {
      input.checked = value === true || value === 'true';
    },
    clear: () => {
      input.checked = false;
    },
  };
}

/** The control of one of a few values: radio buttons, or a native select. */
export function choices(parameter: ParameterHandle, changed: () => void, isOpen: boolean): Control {
  return isOpen ? radios(parameter, changed) : dropdown(parameter, changed);
}

const indexOf = (parameter: ParameterHandle, value: JsonValue): number =>
  (parameter.values ?? []).findIndex((each) => isSame(value, each.value));

/** Return the selected value; one that is not among the choices is kept, so that it is reported. */
function read(parameter: ParameterHandle, at: number, odd: JsonValue): Reading {
  const chosen = (parameter.values ?? [])[at];
  if (chosen) return { isGiven: true, value: chosen.value };
  return odd === null ? NOTHING : { isGiven: true, value: odd };
}

function radios(parameter: ParameterHandle, changed: () => void): Control {
  let odd: JsonValue = null;
  const name = uniqueId('choice');
  const take = (): void => {
    odd = null;
    changed();
  };
  const button = (value: string): HTMLInputElement => h('input', { type: 'radio', name, value, onchange: take });
  const buttons = (parameter.values ?? []).map((each, at) => ({ input: button(String(at)), text: each.name }));
  const none = takesNone(parameter) ? { input: button(''), text: t('noValue') } : null;
  const all = none ? [...buttons, none] : buttons;
  const element = h(
    'div',
    { class: 'rw-radios' },
    ...all.map(({ input, text }) => h('label', { class: 'rw-radio' }, input, h('bdi', {}, text))),
  );
  const check = (at: number): void => {
    all.forEach(({ input }, index) => {
      input.checked = index === at;
    });
  };
  const checked = (): number => buttons.findIndex(({ input }) => input.checked);
  return {
    element,
    input: element,
    isGroup: true,
    read: () => read(parameter, checked(), odd),
    write: (value) => {
      const at = value === null && none ? buttons.length : indexOf(parameter, value);
      odd = at < 0 ? value : null;
      check(at);
    },
    clear: () => {
      odd = null;
      check(none ? buttons.length : -1);
    },
    focus: () => (all.find(({ input }) => input.checked) ?? all[0])?.input.focus(),
  };
}

function dropdown(parameter: ParameterHandle, changed: () => void): Control {
  let odd: JsonValue = null;
  const empty = takesNone(parameter) ? t('noValue') : t('choose');
  const input = h(
    'select',
    {
      class: 'rw-input',
      onchange: () => {
        odd = null;
        changed();
      },
    },
    presetOf(parameter) === null ? h('option', { value: '' }, empty) : null,
    ...(parameter.values ?? []).map((each, at) => h('option', { value: at }, each.name)),
  );
  return {
    element: input,
    input,
    read: () => read(parameter, input.value === '' ? -1 : Number(input.value), odd),
    write: (value) => {
      const at = indexOf(parameter, value);
      odd = at < 0 ? value : null;
      input.value = at < 0 ? '' : String(at);
    },
    clear: () => {
      odd = null;
      input.value = '';
    },
  };
}

const MOST_SHOWN = 100;

/** Return the choices whose names contain a text, those that begin with it first. */
export function search(names: string[], text: string): number[] {
  const sought = text.trim().toLowerCase();
  const found = names
    .map((name, at) => ({ at, place: name.toLowerCase().indexOf(sought) }))
    .filter(({ place }) => place >= 0);
  return [...found.filter(({ place }) => place === 0), ...found.filter(({ place }) => place > 0)].map(({ at }) => at);
}

/** The control of one of many values: a searchable list, by the combobox pattern of ARIA. */
export function suggestions(parameter: ParameterHandle, place: FormContext, changed: () => void): Control {
  const values = parameter.values ?? [];
  const names = values.map((each) => each.name);
  const listId = uniqueId('list');
  let shown: number[] = [];
  let active = -1;
  const list = h('ul', {
    class: 'rw-options',
    role: 'listbox',
    id: listId,
    hidden: true,
    'aria-label': parameter.label ?? parameter.name,
  });
  const more = h('div', { class: 'rw-dim', hidden: true, role: 'status' });
  const input = h('input', {
    class: 'rw-input',
    type: 'text',
    role: 'combobox',
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-autocomplete': 'list',
    'aria-expanded': 'false',
    'aria-controls': listId,
    oninput: () => {
      open(input.value);
      changed();
    },
    onclick: () => (list.hidden ? open('') : close()),
    onkeydown: press,
    onblur: () => place.settled(close),
  });
  const element = h('div', { class: 'rw-combo' }, input, list, more);

  function open(text: string): void {
    const found = search(names, text);
    shown = found.slice(0, MOST_SHOWN);
    replace(
      list,
      ...shown.map((at) =>
        h(
          'li',
          {
            role: 'option',
            id: `${listId}-${at}`,
            'aria-selected': String(names[at] === input.value),
            class: 'rw-option',
            onmousedown: (event: MouseEvent) => {
              event.preventDefault(); // the field keeps the focus
              choose(at);
            },
          },
          h('bdi', {}, names[at] ?? ''),
        ),
      ),
    );
    list.hidden = shown.length === 0;
    more.hidden = found.length > 0 && found.length === shown.length;
    more.textContent = found.length === 0 ? t('noneFound') : t('moreFound', { n: found.length - shown.length });
    input.setAttribute('aria-expanded', String(!list.hidden));
    mark(-1);
  }
  function close(): void {
    list.hidden = more.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    mark(-1);
  }
  function mark(to: number): void {
    active = to;
    for (const [at, each] of [...list.children].entries()) each.classList.toggle('rw-active', at === to);
    const option = list.children[to];
    if (option) {
      input.setAttribute('aria-activedescendant', option.id);
      option.scrollIntoView?.({ block: 'nearest' });
    } else input.removeAttribute('aria-activedescendant');
  }
  function choose(at: number): void {
    input.value = names[at] ?? '';
    close();
    changed();
  }
  /** Open the whole list, with an option marked. */
  function openAt(option: () => number): void {
    open('');
    mark(option());
  }
  function press(event: KeyboardEvent): void {
    const isOpen = !list.hidden;
    const last = shown.length - 1;
    const moves: { [key: string]: () => void } = {
      ArrowDown: () => {
        if (isOpen) mark(active >= last ? 0 : active + 1);
        else openAt(() => 0);
      },
      ArrowUp: () => {
        if (isOpen) mark(active <= 0 ? last : active - 1);
        else openAt(() => shown.length - 1);
      },
    };
    const move = moves[event.key];
    if (move) move();
    else if (event.key === 'Enter' && isOpen && active >= 0 && !event.ctrlKey) choose(shown[active] ?? 0);
    else if (event.key === 'Escape' && isOpen) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  const chosen = (): number => {
    const exact = names.indexOf(input.value);
    return exact >= 0 ? exact : names.findIndex((name) => name.toLowerCase() === input.value.trim().toLowerCase());
  };
  return {
    element,
    input,
    hint: t('searchHint', { n: values.length }),
    read: () => {
      if (input.value === '' && presetOf(parameter) === null) return NOTHING;
      const value = values[chosen()];
      return { isGiven: true, value: value ? value.value : input.value };
    },
    problem: () =>
      input.value !== '' && chosen() < 0 ? t('noneOf', { value: show(input.value), n: values.length }) : null,
    write: (value) => {
      const at = indexOf(parameter, value);
      input.value = at < 0 ? String(value ?? '') : (names[at] ?? '');
    },
    clear: () => {
      input.value = '';
      close();
    },
  };
}
