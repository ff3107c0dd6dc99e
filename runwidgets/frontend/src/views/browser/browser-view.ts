import { t } from '../../model/messages';
import { LiveWorkflows } from '../../model/runs/live-workflows';
import { ApiError } from '../../model/transport';
import type { JsonValue, RunHandle, WorkflowHandle } from '../../model/types';
import { append, h, replace } from '../dom';
import { askingButton } from '../question';
import { tableView } from '../table/table-view';
import { type Context, innerModel, type Model, type View } from '../view';
import { addNotebook } from './add-notebook';
import { workflowList } from './workflow-list';

const skeleton = (): HTMLElement =>
  h(
    'div',
    { class: 'rw-late', role: 'status' },
    t('loading'),
    ...Array.from({ length: 3 }, () => h('div', { class: 'rw-bone', 'aria-hidden': 'true' })),
  );

/** The view of all workflows, with the form of the selected one, its runs and their results. */
export const browserView: View = (root, { transport, model, inner }) => {
  const adder = (kind = ''): HTMLButtonElement =>
    h('button', { type: 'button', class: `rw-button ${kind}`, onclick: openPanel }, t('addNotebook'));
  const list = workflowList({
    chosen: (id) => {
      say('');
      void show({ workflow_id: id, group_id: '', run_id: '' });
    },
  });
  const aside = h(
    'nav',
    { class: 'rw-aside', 'aria-label': t('workflows') },
    h('div', { class: 'rw-head' }, h('span', { class: 'rw-title' }, t('workflows')), adder()),
    list.element,
  );
  const notice = h('div', { class: 'rw-notice', role: 'status', hidden: true });
  const stale = h('div', { class: 'rw-notice rw-alone', role: 'status', hidden: true });
  const panel = h('div', { class: 'rw-browse', hidden: true });
  const work = h('div', { class: 'rw-work' });
  const main = h('div', { class: 'rw-main' }, stale, notice, panel, work);
  const card = h('div', { class: 'rw-card rw-browser' }, h('div', { class: 'rw-halves' }, aside, main));
  root.append(card);

  let shown = { workflow: '', group: '', run: '' };
  let handle: WorkflowHandle | null = null;
  let turn = 0;
  let isClosed = false;
  let isIdle = true;
  let scrolled = 0;
  let closeWork: (() => void)[] = [];
  let closeRun: (() => void) | null = null;
  let form: Model | null = null;
  let table: Model | null = null;
  let runs = h('section', {});
  let run = h('section', {});

  const get = (name: string): string => String(model.get(name) ?? '');
  const say = (text: string, isBad = false): void => {
    notice.hidden = text === '';
    notice.className = `rw-notice ${isBad ? 'rw-bad' : ''}`;
    notice.textContent = text;
  };
  const openRun = (id: string): void => {
    say('');
    void show({ run_id: id });
  };
  /** Views inside the view of a run, whose "run again" opens the new run here. */
  const within: Context['inner'] = {
    ...inner,
    form: (place, context) => inner.form(place, { ...context, open: openRun }),
  };

  // -- what is shown ---------------------------------------------------------------------------------

  /** Show what the model names, with changes; a run brings its workflow with it. */
  async function show(changes: { [name: string]: JsonValue } = {}): Promise<void> {
    turn += 1;
    const mine = turn;
    let {
      workflow_id: id,
      group_id: group,
      run_id: wanted,
    } = {
      workflow_id: get('workflow_id'),
      group_id: get('group_id'),
      run_id: get('run_id'),
      ...changes,
    } as { workflow_id: string; group_id: string; run_id: string };
    try {
      if (wanted && wanted !== shown.run) {
        const found = await transport.get<RunHandle>(`runs/${wanted}`).catch(absent);
        if (found) [id, group] = [found.workflowId, found.groupId];
      } else if (id !== shown.workflow) wanted = '';
      if (mine !== turn || isClosed) return;
      const isNew = id !== shown.workflow || handle === null;
      if (isNew && id) {
        clear();
        isIdle = false;
        replace(work, skeleton());
        const found = await transport.get<WorkflowHandle>(`workflows/${id}`).catch(absent);
        if (mine !== turn || isClosed) return;
        if (!found) return leave(id, t('workflowGone'));
        handle = found;
      }
      if (!id) {
        if (!isIdle) leave('');
        return;
      }
      if (!handle?.groups.some((each) => each.id === group)) group = handle?.groups[0]?.id ?? '';
      if (isNew) build(id, group);
      else if (group !== shown.group) for (const each of [form, table]) each?.set({ group_id: group });
      const before = shown;
      shown = { workflow: id, group, run: wanted };
      if (isNew || before.run !== wanted) showRun(wanted, changes.run_id !== undefined);
      model.set({ workflow_id: id, group_id: group, run_id: wanted });
      drawList();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (mine !== turn || isClosed) return;
      clear();
      replace(
        work,
        h('div', { class: 'rw-failure', role: 'alert' }, error.message),
        h('button', { type: 'button', class: 'rw-button', onclick: () => void show(changes) }, t('retry')),
      );
    }
  }

  function absent(error: unknown): null {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }

  function clear(): void {
    closeRun?.();
    for (const close of closeWork) close();
    [closeWork, closeRun, handle, form, table] = [[], null, null, null, null];
    shown = { workflow: '', group: '', run: '' };
  }

  /** Show why there is no workflow, or what can be done. */
  function leave(id: string, why = ''): void {
    clear();
    isIdle = id === '';
    shown.workflow = id;
    model.set({ workflow_id: id, group_id: '', run_id: '', selected: [] });
    drawList();
    if (why) replace(work, h('div', { class: 'rw-dim rw-empty', role: 'status' }, why));
  }

  function build(id: string, group: string): void {
    const kept = handle;
    if (!kept) return;
    const chooser = h(
      'select',
      { class: 'rw-input', onchange: () => void show({ group_id: chooser.value, run_id: '' }) },
      ...kept.groups.map((each) => h('option', { value: each.id }, each.name)),
    );
    chooser.value = group;
    const title = h('span', { class: 'rw-title', tabindex: -1 }, h('bdi', {}, kept.name));
    const place = h('section', { class: 'rw-start', 'aria-label': t('arguments') });
    runs = h('section', { 'aria-label': t('runs') });
    run = h('section', { 'aria-label': t('run'), hidden: true });
    replace(
      work,
      h(
        'div',
        { class: 'rw-head' },
        title,
        kept.groups.length > 1 ? h('label', { class: 'rw-check' }, t('groupOfRuns'), chooser) : null,
        h(
          'span',
          { class: 'rw-far' },
          askingButton(
            {
              label: t('deleteWorkflow'),
              ask: () => t('deleteWorkflowAsk', { name: kept.name }),
              yes: t('deleteYes'),
              busy: t('deleting'),
              no: t('no'),
              kind: 'rw-quiet',
            },
            () => remove(kept),
          ),
        ),
      ),
      h('div', { class: 'rw-parts' }, place, h('div', { class: 'rw-runsof' }, runs, run)),
    );
    form = innerModel({ workflow_id: id, group_id: group, arguments: {}, run_id: '' });
    closeWork = [inner.form(place, { transport, inner, model: form, open: openRun })];
    if (!group) return;
    const its = innerModel({
      group_id: group,
      filter: '',
      columns: [],
      selected: model.get('selected'),
      run_id: '',
    });
    table = its;
    closeWork.push(
      tableView(runs, { transport, inner, model: its, open: openRun }),
      its.observe('selected', () => {
        if (its.get('selected') !== model.get('selected')) model.set({ selected: its.get('selected') });
      }),
      its.observe('group_id', () => {
        chooser.value = String(its.get('group_id'));
      }),
    );
  }

  function showRun(id: string, isAsked: boolean): void {
    const had = closeRun !== null;
    closeRun?.();
    closeRun = null;
    replace(run);
    const rows = runs.querySelector('.rw-window');
    if (!had && rows) scrolled = rows.scrollTop;
    run.hidden = id === '';
    runs.hidden = id !== '';
    if (id) {
      const back = h(
        'button',
        { type: 'button', class: 'rw-button rw-back', onclick: () => void show({ run_id: '' }) },
        t('backToRuns'),
      );
      const place = h('div', {});
      append(run, back, place);
      closeRun = inner.run(place, { transport, inner: within, model: innerModel({ run_id: id }) });
      if (isAsked) back.focus();
      return;
    }
    if (!had || !rows) return;
    rows.scrollTop = scrolled; // hidden elements forget it
    rows.dispatchEvent(new Event('scroll'));
    if (isAsked) requestAnimationFrame(focusRuns); // once the table has drawn its visible rows again
  }

  function focusRuns(): void {
    const reached = runs.querySelector<HTMLElement>('tr[tabindex="0"]') ?? runs.querySelector<HTMLElement>('input');
    reached?.focus({ preventScroll: true });
  }

  async function remove(workflow: WorkflowHandle): Promise<void> {
    try {
      await transport.send('DELETE', `workflows/${workflow.id}`);
      leave('');
      say(t('workflowDeleted', { name: workflow.name }));
      await live.refresh();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      say(error.message, true);
    }
  }

  // -- the list --------------------------------------------------------------------------------------

  function drawList(): void {
    const known = live.list;
    if (known === null) return;
    aside.hidden = known.length === 0;
    list.draw(known, shown.workflow);
    if (!isIdle) return;
    replace(
      work,
      known.length === 0
        ? h(
            'div',
            { class: 'rw-empty' },
            h('div', { role: 'status' }, t('noWorkflows')),
            panel.hidden ? adder('rw-primary') : null,
          )
        : h('div', { class: 'rw-dim rw-empty', role: 'status' }, t('chooseWorkflow')),
    );
  }

  /** Check whether a workflow that is no longer listed was deleted. */
  async function check(id: string): Promise<void> {
    const found = await transport
      .get<WorkflowHandle>(`workflows/${id}`)
      .catch((error: ApiError) => error.status !== 404);
    if (!found && shown.workflow === id && !isClosed) leave(id, t('workflowGone'));
  }

  function openPanel(): void {
    say('');
    panel.hidden = false;
    addNotebook(panel, transport, {
      closed: closePanel,
      added: (workflow) => {
        closePanel();
        say(t('addedNotebook', { name: workflow.name }));
        void live.refresh();
        void show({ workflow_id: workflow.id, group_id: '', run_id: '' }).then(() =>
          work.querySelector<HTMLElement>('.rw-title')?.focus(),
        );
      },
    });
    drawList();
  }

  function closePanel(): void {
    panel.hidden = true;
    replace(panel);
    drawList();
    (aside.hidden ? work : aside).querySelector<HTMLElement>('button')?.focus();
  }

  aside.hidden = true;
  replace(work, skeleton());
  const live = new LiveWorkflows(transport, {
    changed() {
      if (handle && !live.list?.some((each) => each.id === shown.workflow)) void check(shown.workflow);
      drawList();
    },
    connection(connection) {
      card.classList.toggle('rw-stale', !connection.isLive);
      stale.hidden = connection.isLive;
      stale.textContent = connection.isLive ? '' : t('stale', { time: connection.since.toLocaleTimeString() });
    },
    failed(error) {
      if (live.list !== null || error.status === 0) return; // the stream reports when the server cannot be reached
      const isOurs = error.kind !== '' || error.status >= 500; // Voilà without the extension responds with 403 and a page
      const why = isOurs ? error.message : t('noRoutes');
      if (work.querySelector('.rw-failure')?.textContent === why) return;
      replace(
        work,
        h('div', { class: 'rw-failure', role: 'alert' }, why),
        h('button', { type: 'button', class: 'rw-button', onclick: () => void live.refresh() }, t('retry')),
      );
    },
  });
  const stops = [
    ...['workflow_id', 'group_id', 'run_id'].map((name) =>
      model.observe(name, () => {
        queueMicrotask(() => {
          // several of them are set together
          if (get('workflow_id') !== shown.workflow || get('group_id') !== shown.group || get('run_id') !== shown.run)
            void show();
        });
      }),
    ),
    model.observe('selected', () => {
      if (table && table.get('selected') !== model.get('selected')) table.set({ selected: model.get('selected') });
    }),
  ];
  if (get('workflow_id') || get('run_id')) void show();
  return () => {
    isClosed = true;
    for (const stop of stops) stop();
    live.close();
    clear();
  };
};
