import { h, keepKeys } from '../dom';
import { t } from '../text';
import type { Json } from '../types';
import { findBase, RestTransport } from '../transport/rest';
import type { Model, View } from '../views/view';
import { lazyViews } from './inner';

/** What anywidget gives: the model of the ipywidgets widget. */
interface WidgetModel {
  get(name: string): Json;
  set(name: string, value: Json): void;
  save_changes(): void;
  on(event: string, changed: () => void): void;
  off(event: string, changed: () => void): void;
}

function wrap(model: WidgetModel): Model {
  return {
    get: (name) => model.get(name),
    set(values) {
      const changed = Object.entries(values).filter(([name, value]) => model.get(name) !== value);
      if (changed.length === 0) return;
      for (const [name, value] of changed) model.set(name, value);
      model.save_changes();
    },
    observe(name, changed) {
      model.on(`change:${name}`, changed);
      return () => model.off(`change:${name}`, changed);
    },
  };
}

/** Make an anywidget of a view. */
export function host(view: View): { render(context: { model: WidgetModel; el: HTMLElement }): () => void } {
  return {
    render({ model, el }) {
      const root = h('div', { class: 'rw', 'data-lm-suppress-shortcuts': true });
      el.append(root);
      const base = model.get('is_served') === false ? null : findBase(document);
      if (base === null) {
        root.append(h('div', { class: 'rw-card rw-dim', role: 'status' }, t('noServer')));
        return () => undefined;
      }
      const free = keepKeys(root);
      const failure = h('div', { class: 'rw-failure', role: 'alert', hidden: true });
      root.append(failure);
      const told = (): void => {
        const problem = String(model.get('_failure') ?? '');
        failure.hidden = problem === '';
        failure.textContent = problem && t('observerFailed', { problem });
      };
      model.on('change:_failure', told);
      told();
      const transport = new RestTransport(base);
      const close = view(root, { transport, model: wrap(model), inner: lazyViews(transport) });
      return () => {
        free();
        model.off('change:_failure', told);
        close();
      };
    },
  };
}
