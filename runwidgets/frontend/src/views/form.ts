import { h, replace } from '../dom';
import { t } from '../text';
import type { Json, Parameter, Run, Workflow } from '../types';
import { ApiError } from '../transport/transport';
import { Field, isSame } from './fields';
import { innerModel, type View } from './view';

/** Return the call that starts the same run from Python; secrets are left out. */
export function asCode(source: string, values: [Parameter, Json][]): string {
  const shown = values.filter(([parameter]) => !parameter.secret && parameter.dtype !== 'file');
  const given = shown.map(([parameter, value]) => `, ${parameter.name}=${python(parameter, value)}`);
  return `rw.run(${JSON.stringify(source)}${given.join('')})`;
}

function python(parameter: Parameter, value: Json): string {
  if ((parameter.dtype === 'int' || parameter.dtype === 'float') && typeof value === 'string') return value.trim();
  if (parameter.dtype === 'list' && Array.isArray(value) && parameter.para) {
    return `[${value.map((item) => python(parameter.para as Parameter, item)).join(', ')}]`;
  }
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null) return 'None';
  return JSON.stringify(value);
}

const isEqual = (one: Json, other: Json): boolean => JSON.stringify(one) === JSON.stringify(other);

/** A field per parameter, what is wrong beside each, and a button that starts the run. */
export const formView: View = (root, { transport, model, inner }) => {
  const body = h('form', { class: 'rw-card rw-form', novalidate: true });
  const started = h('div', { class: 'rw-started' });
  root.append(body, started);

  const summary = h('div', { class: 'rw-failure', role: 'alert', tabindex: -1, hidden: true });
  const start = h('button', { type: 'submit', class: 'rw-button rw-primary' }, t('start'));
  let fields: Field[] = [];
  let groupId = '';
  let workflow: Workflow | null = null;
  let key: string | null = null;
  let closeRun: (() => void) | null = null;

  function build(): void {
    if (!workflow) return;
    groupId = String(model.get('group_id') || workflow.groups[0]?.id || '');
    fields = workflow.parameters.map((parameter) => new Field(parameter, { transport, groupId }, changed));
    prefill();
    const tools = workflow.parameters.length === 0 ? [] : [
      h('button', { type: 'button', class: 'rw-button rw-quiet', onclick: () => fields.forEach((field) => field.reset()) },
        t('resetAll')),
      h('button', { type: 'button', class: 'rw-button rw-quiet', onclick: copy }, t('copyCode')),
    ];
    replace(body,
      h('div', { class: 'rw-head' }, h('span', { class: 'rw-title' }, workflow.name)),
      workflow.description ? h('p', { class: 'rw-description' }, workflow.description) : null,
      workflow.parameters.length === 0 ? h('p', { class: 'rw-dim' }, t('noParameters')) : null,
      summary, ...groups(workflow), h('div', { class: 'rw-actions' }, start, ...tools));
    body.setAttribute('aria-label', workflow.name);
  }

  function groups(of: Workflow): HTMLElement[] {
    const named = of.parameterGroups ?? [];
    const known = new Set(named.map((each) => each.name));
    const rest = fields.filter((field) => !field.parameter.group || !known.has(field.parameter.group));
    const made = named.map((each) => {
      const own = fields.filter((field) => field.parameter.group === each.name);
      return own.length === 0 ? null : h('fieldset', { class: 'rw-group' },
        h('legend', {}, each.title ?? each.name), h('div', { class: 'rw-grid' }, ...own.map((field) => field.element)));
    });
    const plain = rest.length ? h('div', { class: 'rw-grid' }, ...rest.map((field) => field.element)) : null;
    return [...made, plain].filter((each) => each !== null);
  }

  function prefill(): void {
    const given = (model.get('arguments') ?? {}) as { [name: string]: Json };
    for (const field of fields) {
      const value = given[field.name];
      if (value !== undefined && !field.parameter.secret) field.write(value);
    }
  }

  /** The values to send: what is set and is not the default anyway. */
  function given(): [Parameter, Json][] {
    return fields.flatMap((field): [Parameter, Json][] => {
      const reading = field.read();
      if (!reading.isGiven) return [];
      const preset = field.parameter.defaultValue;
      return preset !== undefined && isSame(reading.value, preset) ? [] : [[field.parameter, reading.value]];
    });
  }

  function changed(): void {
    key = null;
    const values = given().filter(([parameter]) => !parameter.secret);
    model.set({ arguments: Object.fromEntries(values.map(([parameter, value]) => [parameter.name, value])) });
  }

  function tell(problems: [Field | null, string][]): void {
    summary.hidden = problems.length === 0;
    model.set({ errors: Object.fromEntries(problems.map(([field, text]) => [field?.name ?? '', text])) });
    if (problems.length === 0) return;
    const count = problems.length === 1 ? '1 field' : `${problems.length} fields`;
    const isOurs = problems.every(([field]) => field !== null);
    replace(summary, isOurs ? t('fixProblems', { n: count }) : problems[0]?.[1] ?? '', isOurs
      ? h('ul', {}, ...problems.map(([field, text]) => h('li', {},
        h('a', { href: '#', onclick: (event: Event) => { event.preventDefault(); field?.focus(); } },
          field?.parameter.label ?? field?.name ?? ''), `: ${text}`)))
      : null);
    (problems[0]?.[0] ?? null)?.focus();
  }

  async function submit(): Promise<void> {
    if (start.disabled) return;
    const problems = fields.map((field) => [field, field.judge()] as const)
      .filter((each): each is readonly [Field, string] => each[1] !== null);
    tell(problems.map(([field, text]) => [field, text]));
    if (problems.length) return;
    start.disabled = true;
    start.textContent = t('starting');
    key ??= crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    try {
      const run = await transport.send<Run>('POST', `groups/${groupId}/runs`, {
        arguments: given().map(([parameter, value]) => ({ name: parameter.name, value })),
        config: { key },
      });
      key = null;
      model.set({ run_id: run.id });
      show(run.id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const name = (error.subject ?? '').split(/[.[]/)[0];
      const field = fields.find((each) => each.name === name) ?? null;
      field?.show(error.problem ?? error.message);
      tell([[field, field ? (error.problem ?? error.message) : error.message]]);
    } finally {
      start.disabled = false;
      start.textContent = t('start');
    }
  }

  function show(id: string): void {
    closeRun?.();
    replace(started);
    closeRun = inner.run(started, { transport, inner, model: innerModel({ run_id: id }) });
  }

  async function copy(event: Event): Promise<void> {
    const button = event.currentTarget as HTMLButtonElement;
    await navigator.clipboard.writeText(asCode(String(model.get('source') || workflow?.id || ''), given()));
    button.textContent = t('copied');
  }

  async function load(): Promise<void> {
    replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
    try {
      workflow = await transport.get<Workflow>(`workflows/${String(model.get('workflow_id'))}`);
      build();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      replace(body, h('div', { class: 'rw-failure', role: 'alert' }, error.message));
    }
  }

  body.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit();
  });
  body.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    const isText = event.target instanceof HTMLInputElement;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      void submit();
    } else if (isText) {
      event.preventDefault(); // Enter in a text field does not start a run by accident
    }
  });
  const stops = [
    model.observe('workflow_id', () => void load()),
    model.observe('group_id', build),
    model.observe('arguments', () => {
      const shown = given().filter(([parameter]) => !parameter.secret);
      const known = Object.fromEntries(shown.map(([parameter, value]) => [parameter.name, value]));
      if (!isEqual(known, model.get('arguments'))) {
        fields.forEach((field) => field.reset(false));
        prefill();
      }
    }),
  ];
  const running = String(model.get('run_id') ?? '');
  if (running) show(running);
  void load();
  return () => {
    stops.forEach((stop) => stop());
    closeRun?.();
  };
};
