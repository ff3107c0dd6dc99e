/** The saved output of a run or a sweep: the view of its widget, in a page that may have no kernel. */

import { visible } from '../../model/ansi';
import { t } from '../../model/messages';
import type { JsonValue, StateName } from '../../model/types';
import { findBase, RestTransport } from '../../transport/rest-transport';
import { h, keepKeys, replace } from '../../views/dom';
import { runView } from '../../views/run/run-view';
import style from '../../views/style.css';
import { innerModel } from '../../views/view';
import { lazyViews } from '../lazy-views';

const STYLE = 'runwidgets-style';
/** The form of an id: it becomes part of a URL, and a notebook may contain anything. */
const ID = /^[\w-]{1,64}$/;
const STATES: readonly unknown[] = ['PENDING', 'RUNNING', 'SUCCESS', 'ERROR', 'CANCELED'] satisfies StateName[];

interface Saved {
  id: string;
  isSweep: boolean;
  /** What is shown if the server no longer has the run; empty if nothing was saved. */
  description: string;
}

/** Read the data of an output; null if it names neither a run nor a sweep. */
export function readSaved(data: JsonValue): Saved | null {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return null;
  const { run_id: run, sweep_id: sweep, notebook, state, seen } = data;
  const isSweep = sweep !== undefined;
  const id = isSweep ? sweep : run;
  if (typeof id !== 'string' || !ID.test(id)) return null;
  const name = typeof notebook === 'string' ? visible(notebook, true) : '';
  const moment = new Date(typeof seen === 'string' ? seen : NaN);
  if (!name || !STATES.includes(state) || Number.isNaN(moment.valueOf())) return { id, isSweep, description: '' };
  const time = moment.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  return { id, isSweep, description: t('savedAs', { name, state: t(state as StateName), time }) };
}

/** Show a run or a sweep in an element of a notebook; returns a function that releases everything. */
export function show(node: HTMLElement, data: JsonValue, isTrusted: boolean): () => void {
  if (!document.getElementById(STYLE)) document.head.append(h('style', { id: STYLE }, style));
  const root = h('div', { class: 'rw' });
  replace(node, root);
  const saved = readSaved(data);
  const base = findBase(document);
  if (saved === null || base === null) {
    root.append(h('div', { class: 'rw-card rw-dim', role: 'status' }, t(saved ? 'noServer' : 'noRunNamed')));
    return () => undefined;
  }
  const model = innerModel({
    [saved.isSweep ? 'sweep_id' : 'run_id']: saved.id,
    read_only: isTrusted ? null : t('notTrusted'),
  });
  const unobserve = model.observe('state', () => {
    if (model.get('state') === 'DELETED' && saved.description) {
      root.firstElementChild?.append(h('div', { class: 'rw-dim' }, saved.description));
    }
  });
  const free = keepKeys(root);
  const transport = new RestTransport(base);
  const inner = lazyViews(transport);
  const close = (saved.isSweep ? inner.sweep : runView)(root, { transport, model, inner });
  return () => {
    unobserve();
    free();
    close();
    root.remove();
  };
}
