import { t } from '../../model/messages';
import type { Transport } from '../../model/transport';
import type { JsonValue } from '../../model/types';
import { type Channel, CommTransport, type MessageListener } from '../../transport/comm-transport';
import { RestTransport } from '../../transport/rest-transport';
import { h, keepKeys } from '../../views/dom';
import type { Model, View } from '../../views/view';
import { lazyViews } from '../lazy-views';
import { findRoutes } from './find-routes';
import { serveKernelFiles } from './kernel-files';

/** The model of the ipywidgets widget, as anywidget provides it. */
interface WidgetModel extends Channel {
  get(name: string): JsonValue;
  set(name: string, value: JsonValue): void;
  save_changes(): void;
  on(event: string, heard: (() => void) | MessageListener): void;
  off(event: string, heard: (() => void) | MessageListener): void;
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

/** Make a transport to the kernel, and say in the view what that means. */
function connectKernel(model: WidgetModel, root: HTMLElement): { transport: Transport; leave(): void } {
  const transport = new CommTransport(model);
  const status = h('div', { class: 'rw-dim', role: 'status' });
  root.append(h('div', { class: 'rw-dim', role: 'note' }, t('byKernel')), status);
  const free = serveKernelFiles(root, transport, (words) => {
    status.textContent = words;
  });
  return {
    transport,
    leave() {
      free();
      transport.close();
    },
  };
}

/** Make an anywidget module of a view. */
export function host(view: View): { render(context: { model: WidgetModel; el: HTMLElement }): () => void } {
  return {
    render({ model, el }) {
      const root = h('div', { class: 'rw' });
      el.append(root);
      const free = keepKeys(root);
      const failure = h('div', { class: 'rw-failure', role: 'alert', hidden: true });
      root.append(failure);
      const showFailure = (): void => {
        const problem = String(model.get('_failure') ?? '');
        failure.hidden = problem === '';
        failure.textContent = problem && t('observerFailed', { problem });
      };
      model.on('change:_failure', showFailure);
      showFailure();
      let isClosed = false;
      let leave = (): void => undefined;
      async function show(): Promise<void> {
        const base = await findRoutes(document, String(model.get('_store') ?? ''));
        if (isClosed) return;
        const connection =
          base === null ? connectKernel(model, root) : { transport: new RestTransport(base), leave: () => undefined };
        const close = view(root, {
          transport: connection.transport,
          model: wrap(model),
          inner: lazyViews(connection.transport),
        });
        leave = () => {
          close();
          connection.leave();
        };
      }
      void show();
      return () => {
        isClosed = true;
        free();
        model.off('change:_failure', showFailure);
        leave();
      };
    },
  };
}
