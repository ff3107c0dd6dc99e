import { defaultsOf } from '../../model/form/options';
import type { Swept } from '../../model/form/parameter-space';
import { asCode } from '../../model/form/python-code';
import { submitRuns } from '../../model/form/submission';
import { isEqual } from '../../model/json';
import { t } from '../../model/messages';
import { ApiError } from '../../model/transport';
import type { JsonValue, ParameterHandle, RunConfig, WorkflowHandle } from '../../model/types';
import { h, replace, uniqueId } from '../dom';
import { Field } from '../fields/field';
import { Uploads } from '../fields/uploads';
import { watchPress } from '../press';
import { innerModel, type View } from '../view';
import { warningList } from '../warnings';
import { codePanel } from './code-panel';
import { listEarlier, moment } from './earlier-runs';
import { layOutFields } from './field-groups';
import { optionsPanel } from './options-panel';
import { problemSummary } from './problem-summary';
import { startButton, tooManyOf, usualTime } from './start-button';
import { watchTemplate } from './template-watch';

type Values = { [name: string]: JsonValue };
type Several = { [name: string]: JsonValue[] };

/** The form of a workflow: a field per parameter with its problem, and the start button. */
export const formView: View = (root, { transport, model, inner, open }) => {
  const body = h('form', { class: 'rw-card rw-form', novalidate: true });
  const started = h('div', { class: 'rw-started' });
  root.append(body, started);

  const summary = problemSummary();
  const notice = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const stale = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const warnings = warningList();
  const lack = h('span', { class: 'rw-lack', id: uniqueId('lack') });
  const start = startButton(
    lack.id,
    () => void submit(true),
    () => usualTime(transport, groupId),
  );
  const inputs = h('fieldset', { class: 'rw-inputs', 'aria-label': t('arguments') });
  const options = optionsPanel(changed);
  const panel = h('div', { class: 'rw-browse', hidden: true });
  const code = codePanel(say);
  const press = watchPress(body);
  let fields: Field[] = [];
  let groupId = '';
  let workflow: WorkflowHandle | null = null;
  let uploads: Uploads | null = null;
  let key: string | null = null;
  let closeStarted: (() => void) | null = null;
  let isFilling = false;
  let isSending = false;

  /** The parameters that take several values. */
  const swept = (): Swept =>
    fields.flatMap((field): Swept => {
      const values = field.values();
      return values ? [[field.parameter, values]] : [];
    });
  const isReadOnly = (): boolean => model.get('read_only') === true;
  const button = (word: 'resetAll' | 'copyCode' | 'earlier' | 'sweepFields', act: () => void): HTMLButtonElement =>
    h('button', { type: 'button', class: 'rw-button rw-quiet', onclick: act }, t(word));
  const opener = button('earlier', () => (panel.hidden ? openEarlier() : closeEarlier()));
  opener.setAttribute('aria-expanded', 'false');
  const sweeper = button('sweepFields', () =>
    sweeper.setAttribute('aria-pressed', String(body.classList.toggle('rw-sweeping'))),
  );
  sweeper.setAttribute('aria-pressed', 'false');
  sweeper.title = t('sweepFieldsHint');

  function build(): void {
    if (!workflow) return;
    groupId = String(model.get('group_id') || workflow.groups[0]?.id || '');
    const made = new Uploads(transport, groupId);
    uploads = made;
    isFilling = true;
    const place = { transport, groupId, uploads: made, settled: press.settled };
    fields = workflow.parameters.map((parameter) => new Field(parameter, place, changed));
    options.build(defaultsOf(workflow, groupId), place);
    options.write((model.get('config') ?? {}) as RunConfig);
    fill((model.get('arguments') ?? {}) as Values, (model.get('several') ?? {}) as Several);
    isFilling = false;
    const isEmpty = workflow.parameters.length === 0;
    replace(inputs, ...layOutFields(fields, workflow.parameterGroups ?? []), options.element);
    replace(
      body,
      h('div', { class: 'rw-head' }, h('span', { class: 'rw-title' }, h('bdi', {}, workflow.name))),
      workflow.description ? h('p', { class: 'rw-description' }, h('bdi', {}, workflow.description)) : null,
      isEmpty ? h('p', { class: 'rw-dim' }, t('noParameters')) : null,
      stale,
      notice,
      warnings.element,
      summary.element,
      inputs,
      h(
        'div',
        { class: 'rw-actions' },
        start.element,
        opener,
        ...(isEmpty || isReadOnly() ? [] : [sweeper, button('resetAll', resetAll)]),
        button('copyCode', () => void copy()),
        lack,
      ),
      panel,
      code.element,
    );
    body.setAttribute('aria-label', workflow.name);
    warnings.show(workflow.warnings ?? []);
    lock();
    changed();
  }

  function lock(): void {
    inputs.disabled = isReadOnly();
    start.element.hidden = opener.hidden = isReadOnly() || !groupId;
    if (isReadOnly()) say(t('readOnly'));
    else if (!groupId) say(t('noGroup'));
  }

  /** Set every field, to its default if no value is given. Returns the names that no field has. */
  function fill(values: Values, several: Several): string[] {
    for (const field of fields) {
      field.reset();
      if (field.parameter.secret) continue;
      const value = values[field.name];
      const many = several[field.name];
      if (many !== undefined) field.writeValues(many);
      else if (value !== undefined) field.write(value);
    }
    return Object.keys(values).filter((name) => !fields.some((field) => field.name === name));
  }

  /** The values to send: those that are not the default. */
  function given(): [ParameterHandle, JsonValue][] {
    return fields.flatMap((field): [ParameterHandle, JsonValue][] => {
      const reading = field.change();
      return reading.isGiven ? [[field.parameter, reading.value]] : [];
    });
  }

  const shownValues = (): Values =>
    Object.fromEntries(
      given()
        .filter(([parameter]) => !parameter.secret)
        .map(([parameter, value]) => [parameter.name, value]),
    );

  const shownSeveral = (): Several =>
    Object.fromEntries(swept().map(([parameter, values]) => [parameter.name, values]));

  function changed(): void {
    if (isFilling) return;
    key = null;
    code.hide();
    start.tell(swept());
    const own = fields.flatMap((field) => {
      const problem = field.problem();
      return problem === null ? [] : [{ field, problem }];
    });
    const problems = [...own, ...options.problems().map(([field, problem]) => ({ field, problem }))];
    const names = (isMissing: boolean): string =>
      problems
        .filter(({ field }) => field.isMissing === isMissing)
        .map(({ field }) => field.title)
        .join(', ');
    const said = [
      ['missingFields', names(true)],
      ['wrongFields', names(false)],
    ] as const;
    const text = said
      .filter(([, each]) => each)
      .map(([word, each]) => t(word, { names: each }))
      .join(' · ');
    if (lack.textContent !== text) lack.textContent = text;
    const values: Values = {};
    const found = Object.fromEntries(own.map(({ field, problem }) => [field.name, problem]));
    const config = options.read() as JsonValue;
    const now = shownValues();
    const several = shownSeveral();
    if (!isEqual(now, model.get('arguments'))) values.arguments = now;
    if (!isEqual(several, model.get('several') ?? {})) values.several = several;
    if (!isEqual(config, model.get('config') ?? {})) values.config = config;
    if (!isEqual(found, model.get('problems'))) values.problems = found;
    if (Object.keys(values).length) model.set(values);
  }

  function say(text: string): void {
    notice.hidden = text === '';
    notice.textContent = text;
  }

  async function submit(isAgreed = false): Promise<void> {
    if (isSending || isReadOnly() || !groupId || !workflow) return;
    const own = fields
      .map((field) => [field, field.judge()] as const)
      .filter((each): each is readonly [Field, string] => each[1] !== null);
    const problems = [...own, ...options.judge()];
    summary.show(problems);
    if (problems.length) return;
    const over = swept();
    const tooMany = tooManyOf(over);
    if (tooMany) {
      summary.show([[null, tooMany]]);
      return;
    }
    if (!isAgreed && start.asks(over)) return;
    isSending = true;
    start.busy(true);
    key ??= crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    try {
      const made = await submitRuns(transport, groupId, given(), over, { ...options.read(), key });
      key = null;
      say('');
      model.set(made);
      show();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const name = (error.subject ?? '').split(/[.[]/)[0];
      const field = options.find(error.subject ?? '') ?? fields.find((each) => each.name === name) ?? null;
      field?.show(error.problem ?? error.message);
      summary.show([[field, field ? (error.problem ?? error.message) : error.message]]);
    } finally {
      isSending = false;
      start.busy(false);
    }
  }

  /** Show the run or sweep that was started last. */
  function show(): void {
    const [run, sweep] = [String(model.get('run_id') ?? ''), String(model.get('sweep_id') ?? '')];
    closeStarted?.();
    closeStarted = null;
    replace(started);
    if (sweep) closeStarted = inner.sweep(started, { transport, inner, model: innerModel({ sweep_id: sweep }) });
    else if (run && open) open(run);
    else if (run) closeStarted = inner.run(started, { transport, inner, model: innerModel({ run_id: run }) });
  }

  function resetAll(): void {
    options.write({});
    refill({});
    say(t('wasReset'));
  }

  function refill(values: Values, several: Several = {}): string[] {
    isFilling = true;
    const unknown = fill(values, several);
    isFilling = false;
    summary.show([]);
    changed();
    return unknown;
  }

  function openEarlier(): void {
    panel.hidden = false;
    opener.setAttribute('aria-expanded', 'true');
    listEarlier(panel, transport, groupId, {
      closed: closeEarlier,
      chosen: (run) => {
        const values = Object.fromEntries(run.arguments.map((each) => [each.name, each.value]));
        const unknown = refill(values);
        const secrets = fields.filter((field) => field.parameter.secret).map((field) => field.title);
        say(
          [
            t('filledFrom', { time: moment(run.createdAt) }),
            unknown.length ? t('unknownGiven', { names: unknown.join(', ') }) : '',
            secrets.length ? t('filledButSecrets', { names: secrets.join(', ') }) : '',
          ]
            .filter(Boolean)
            .join(' '),
        );
        closeEarlier();
      },
    });
  }

  function closeEarlier(): void {
    panel.hidden = true;
    replace(panel);
    opener.setAttribute('aria-expanded', 'false');
    opener.focus();
  }

  async function copy(): Promise<void> {
    if (!workflow) return;
    const isDefault = groupId === workflow.groups[0]?.id;
    await code.copy(
      asCode(String(model.get('source') || workflow.id), given(), {
        ...(isDefault ? {} : { group: groupId }),
        config: options.read(),
        several: swept(),
        fileName: (id) => uploads?.list.find((each) => each.id === id)?.name,
      }),
    );
  }

  /** Take over the values that were set from Python. */
  function take(): void {
    const [values, several] = [(model.get('arguments') ?? {}) as Values, (model.get('several') ?? {}) as Several];
    options.write((model.get('config') ?? {}) as RunConfig);
    if (!isEqual(shownValues(), values) || !isEqual(shownSeveral(), several)) refill(values, several);
  }

  function follows(): void {
    if (!isSending) show();
  }

  body.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit();
  });
  body.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      void submit();
    } else if (event.target instanceof HTMLInputElement) {
      event.preventDefault(); // Enter in a field must not start a run
      if (model.get('submit_on_enter') === true && !event.shiftKey) void submit();
    }
  });
  show();
  const template = watchTemplate(transport, {
    id: () => String(model.get('workflow_id')),
    loading: () => replace(body, h('div', { class: 'rw-dim', role: 'status' }, t('loading'))),
    changed: (found, isFirst) => {
      workflow = found;
      build();
      if (!isFirst) say(t('templateChanged'));
      return groupId;
    },
    failed: (message, retry) =>
      replace(
        body,
        h('div', { class: 'rw-failure', role: 'alert' }, message),
        h('button', { type: 'button', class: 'rw-button', onclick: retry }, t('retry')),
      ),
    connection: (connection) => {
      stale.hidden = connection.isLive;
      stale.textContent = connection.isLive ? '' : t('staleForm', { time: connection.since.toLocaleTimeString() });
    },
  });
  const stops = [
    model.observe('workflow_id', () => {
      workflow = null;
      template.restart();
    }),
    model.observe('group_id', build),
    model.observe('read_only', build),
    model.observe('run_id', follows),
    model.observe('sweep_id', follows),
    model.observe('arguments', take),
    model.observe('several', take),
    model.observe('config', take),
  ];
  return () => {
    template.close();
    for (const stop of stops) stop();
    press.close();
    closeStarted?.();
  };
};
