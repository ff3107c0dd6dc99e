import { h, replace, uniqueId } from '../dom';
import { describeRange, parseRange, problemOf, show } from '../rules';
import { t } from '../text';
import type { Json, Parameter, Upload } from '../types';
import { ApiError, type Transport } from '../transport/transport';

/** What a field holds: a value to send, or nothing because it was left as it is. */
export type Reading = { isGiven: true; value: Json } | { isGiven: false };

export interface Control {
  element: HTMLElement;
  /** The element that takes the focus and that the label names. */
  input: HTMLElement;
  read(): Reading;
  /** What is wrong beyond the rules, such as text that is no JSON. */
  problem?(): string | null;
  write(value: Json): void;
  clear(): void;
}

export interface Place {
  transport: Transport;
  groupId: string;
}

/** A parameter of the form: its label, its control, its help and what is wrong with it. */
export class Field {
  readonly element: HTMLElement;
  private readonly control: Control;
  private readonly error = h('div', { class: 'rw-problem', id: uniqueId('problem'), hidden: true });
  private readonly resetButton: HTMLButtonElement;

  constructor(
    readonly parameter: Parameter,
    place: Place,
    private readonly changed: () => void,
  ) {
    this.control = controlFor(parameter, place, () => this.touch());
    const id = uniqueId(parameter.name);
    const help = h('div', { class: 'rw-help', id: uniqueId('help') }, helpOf(parameter));
    this.control.input.id = id;
    this.control.input.setAttribute('aria-describedby', `${help.id} ${this.error.id}`);
    if (parameter.isRequired) this.control.input.setAttribute('aria-required', 'true');
    this.control.element.addEventListener('focusout', () => this.judge());
    this.resetButton = h('button', {
      type: 'button', class: 'rw-reset', title: t('reset'), 'aria-label': `${t('reset')}: ${parameter.name}`,
      hidden: true, onclick: () => this.reset(),
    }, '↺');
    const label = h('label', { for: id }, parameter.label ?? parameter.name,
      parameter.isRequired ? h('span', { class: 'rw-required' }, ` ${t('required')}`) : null);
    const name = parameter.label && parameter.label !== parameter.name ? h('code', {}, parameter.name) : null;
    this.element = h('div', { class: 'rw-field', 'data-parameter': parameter.name },
      h('div', { class: 'rw-label' }, label, name, this.resetButton), this.control.element, this.error, help);
    this.reset(false);
  }

  get name(): string {
    return this.parameter.name;
  }

  focus(): void {
    this.control.input.focus();
  }

  read(): Reading {
    return this.control.read();
  }

  write(value: Json): void {
    this.control.write(value);
    this.touch();
  }

  reset(isTold = true): void {
    this.control.clear();
    const preset = this.parameter.defaultValue;
    if (preset !== undefined && preset !== null && this.parameter.dtype !== 'file') this.control.write(preset);
    this.show(null);
    this.resetButton.hidden = true;
    if (isTold) this.changed();
  }

  /** Return what is wrong now, and show it. */
  judge(): string | null {
    const reading = this.read();
    let problem = this.control.problem?.() ?? null;
    if (problem === null && reading.isGiven) problem = problemOf(this.parameter, reading.value);
    else if (problem === null && this.parameter.isRequired) problem = 'no value was given';
    this.show(problem);
    return problem;
  }

  show(problem: string | null): void {
    this.error.hidden = problem === null;
    this.error.textContent = problem === null ? '' : problem;
    this.element.classList.toggle('rw-wrong', problem !== null);
    if (problem === null) this.control.input.removeAttribute('aria-invalid');
    else this.control.input.setAttribute('aria-invalid', 'true');
  }

  private touch(): void {
    const reading = this.read();
    const preset = this.parameter.defaultValue ?? null;
    this.resetButton.hidden = !reading.isGiven || isSame(reading.value, preset);
    if (!this.error.hidden) this.judge();
    this.changed();
  }
}

/** Say whether typed text is still the default. */
export function isSame(value: Json, preset: Json): boolean {
  const text = (each: Json): string => (typeof each === 'string' ? each : JSON.stringify(each));
  if (Array.isArray(value) && Array.isArray(preset)) {
    return value.length === preset.length && value.every((each, at) => isSame(each, preset[at] ?? null));
  }
  return text(value) === text(preset);
}

function helpOf(parameter: Parameter): string {
  const range = parseRange(parameter.range);
  const preset = parameter.defaultValue;
  return [
    parameter.help,
    range ? describeRange(range) : null,
    parameter.dtype === 'list' ? t(isSimple(parameter.para) ? 'onePerLine' : 'asJson') : null,
    parameter.dtype === 'record' && !parameter.fields ? t('asJson') : null,
    preset === undefined || preset === null || preset === '' ? null : t('default', { value: show(preset) }),
  ].filter(Boolean).join(' · ');
}

const isSimple = (para: Parameter | undefined): boolean =>
  para !== undefined && ['int', 'float', 'string', 'date', 'datetime'].includes(para.dtype);

function controlFor(parameter: Parameter, place: Place, changed: () => void): Control {
  switch (parameter.dtype) {
    case 'bool':
      return parameter.isRequired ? choice(booleans(parameter), changed) : toggle(changed);
    case 'select':
      return choice(parameter, changed);
    case 'file':
      return filePicker(parameter, place, changed);
    case 'list':
      return isSimple(parameter.para) ? lines(changed) : json(changed);
    case 'record':
      return parameter.fields ? fieldset(parameter, place, changed) : json(changed);
    default:
      return line(parameter, changed);
  }
}

const TYPES = { date: 'date', datetime: 'datetime-local' } as const;

function line(parameter: Parameter, changed: () => void): Control {
  const isNumber = parameter.dtype === 'int' || parameter.dtype === 'float';
  const isLong = typeof parameter.defaultValue === 'string' && parameter.defaultValue.includes('\n');
  const type = parameter.secret ? 'password' : parameter.dtype in TYPES ? TYPES[parameter.dtype as keyof typeof TYPES] : 'text';
  const input = isLong && !parameter.secret
    ? h('textarea', { class: 'rw-input', rows: 4, oninput: changed })
    : h('input', {
        class: 'rw-input', type, oninput: changed, spellcheck: 'false', autocomplete: parameter.secret ? 'new-password' : 'off',
        inputmode: isNumber ? (parameter.dtype === 'int' ? 'numeric' : 'decimal') : null,
        step: parameter.dtype === 'datetime' ? 1 : null,
      });
  const keepsEmpty = parameter.dtype === 'string' && typeof parameter.defaultValue === 'string' && parameter.defaultValue !== '';
  return {
    element: input,
    input,
    read: () => (input.value === '' && !keepsEmpty ? { isGiven: false } : { isGiven: true, value: input.value }),
    write: (value) => {
      input.value = typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
    },
    clear: () => {
      input.value = '';
    },
  };
}

function toggle(changed: () => void): Control {
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

const booleans = (parameter: Parameter): Parameter => ({
  ...parameter,
  values: [{ name: 'true', value: true }, { name: 'false', value: false }],
});

function choice(parameter: Parameter, changed: () => void): Control {
  const values = parameter.values ?? [];
  const input = h('select', { class: 'rw-input', onchange: changed },
    h('option', { value: '' }, t('choose')), ...values.map((each, at) => h('option', { value: at }, each.name)));
  return {
    element: input,
    input,
    read: () => {
      const chosen = input.value === '' ? undefined : values[Number(input.value)];
      return chosen ? { isGiven: true, value: chosen.value } : { isGiven: false };
    },
    write: (value) => {
      const at = values.findIndex((each) => isSame(value, each.value));
      input.value = at < 0 ? '' : String(at);
    },
    clear: () => {
      input.value = '';
    },
  };
}

function lines(changed: () => void): Control {
  const input = h('textarea', { class: 'rw-input', rows: 3, oninput: changed, spellcheck: 'false' });
  return {
    element: input,
    input,
    read: () => {
      const items = input.value.split('\n').map((item) => item.trim()).filter((item) => item !== '');
      return items.length ? { isGiven: true, value: items } : { isGiven: false };
    },
    write: (value) => {
      const items = Array.isArray(value) ? value : [value];
      input.value = items.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join('\n');
    },
    clear: () => {
      input.value = '';
    },
  };
}

function json(changed: () => void): Control {
  const input = h('textarea', { class: 'rw-input rw-mono', rows: 3, oninput: changed, spellcheck: 'false' });
  const parse = (): { value: Json } | { problem: string } => {
    try {
      return { value: JSON.parse(input.value) as Json };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return { problem: `this is no JSON: ${error.message}` };
    }
  };
  return {
    element: input,
    input,
    read: () => {
      const parsed = input.value.trim() === '' ? null : parse();
      return parsed && 'value' in parsed ? { isGiven: true, value: parsed.value } : { isGiven: false };
    },
    problem: () => {
      const parsed = input.value.trim() === '' ? null : parse();
      return parsed && 'problem' in parsed ? parsed.problem : null;
    },
    write: (value) => {
      input.value = JSON.stringify(value, null, 1);
    },
    clear: () => {
      input.value = '';
    },
  };
}

function fieldset(parameter: Parameter, place: Place, changed: () => void): Control {
  const fields = (parameter.fields ?? []).map((each) => new Field(each, place, changed));
  const element = h('fieldset', { class: 'rw-record', tabindex: -1, 'aria-label': parameter.label ?? parameter.name },
    ...fields.map((field) => field.element));
  return {
    element,
    input: element,
    read: () => {
      const record: { [name: string]: Json } = {};
      for (const field of fields) {
        const reading = field.read();
        if (reading.isGiven) record[field.name] = reading.value;
      }
      return Object.keys(record).length ? { isGiven: true, value: record } : { isGiven: false };
    },
    problem: () => {
      const problems = fields.map((field) => [field.name, field.judge()] as const).filter(([, problem]) => problem);
      return problems[0] ? `${problems[0][0]}: ${problems[0][1] ?? ''}` : null;
    },
    write: (value) => {
      if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
      for (const field of fields) {
        const each = value[field.name];
        if (each !== undefined) field.write(each);
      }
    },
    clear: () => fields.forEach((field) => field.reset(false)),
  };
}

function filePicker(parameter: Parameter, place: Place, changed: () => void): Control {
  let chosen: string | null = null;
  let sending: AbortController | null = null;
  let failure: string | null = null;
  const picker = h('input', { type: 'file', hidden: true, onchange: () => void send() });
  const input = h('select', { class: 'rw-input', onchange: choose });
  const status = h('span', { class: 'rw-dim', role: 'status' });
  const button = h('button', { type: 'button', class: 'rw-button', onclick: () => picker.click() }, t('chooseFile'));
  const stop = h('button', { type: 'button', class: 'rw-button', hidden: true, onclick: () => sending?.abort() }, t('stopUpload'));
  const element = h('div', { class: 'rw-upload' }, input, button, picker, stop, status);
  const preset = typeof parameter.defaultValue === 'string' ? parameter.defaultValue : null;

  function list(uploads: Upload[]): void {
    replace(input, h('option', { value: '' }, preset ? t('default', { value: preset }) : t('choose')),
      ...uploads.map((each) => h('option', { value: each.id }, each.name)));
    input.value = chosen ?? '';
  }
  function choose(): void {
    chosen = input.value || null;
    failure = null;
    changed();
  }
  async function load(): Promise<void> {
    try {
      list((await place.transport.get<{ files: Upload[] }>(`uploads/${place.groupId}/files`)).files);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      status.textContent = error.message;
    }
  }
  async function send(): Promise<void> {
    const file = picker.files?.[0];
    if (!file) return;
    sending = new AbortController();
    stop.hidden = false;
    button.disabled = true;
    failure = null;
    const tell = (fraction: number): void => {
      status.textContent = t('uploading', { name: file.name, percent: Math.round(fraction * 100) });
    };
    tell(0);
    try {
      chosen = (await place.transport.upload<Upload>(`uploads/${place.groupId}/files`, file, tell, sending.signal)).id;
      status.textContent = '';
      await load();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failure = error.kind === 'Aborted' ? null : error.message;
      status.textContent = error.kind === 'Aborted' ? t('uploadStopped') : '';
    } finally {
      sending = null;
      stop.hidden = true;
      button.disabled = false;
      picker.value = '';
      changed();
    }
  }

  list([]);
  void load();
  return {
    element,
    input,
    read: () => (chosen ? { isGiven: true, value: { type: '$file', value: { fileId: chosen } } } : { isGiven: false }),
    problem: () => failure,
    write: (value) => {
      const about = value as { value?: { fileId?: string } } | null;
      chosen = about?.value?.fileId ?? null;
      input.value = chosen ?? '';
    },
    clear: () => {
      chosen = null;
      input.value = '';
    },
  };
}
