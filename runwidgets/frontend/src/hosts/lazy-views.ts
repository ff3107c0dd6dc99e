import { t } from '../model/messages';
import type { Transport } from '../model/transport';
import { h, replace } from '../views/dom';
import type { InnerViews, View } from '../views/view';

/** The bundle of each view. */
const BUNDLES: { [name in keyof InnerViews]: string } = {
  form: 'form',
  run: 'run',
  sweep: 'sweep',
  files: 'results',
  compare: 'results',
};

/** Return the views that others open, each loaded when it is first opened: a bundle contains only its own. */
export function lazyViews(transport: Transport): InnerViews {
  const lazy =
    (name: keyof InnerViews): View =>
    (root, context) => {
      const place = h('div', {}, h('div', { class: 'rw-dim', role: 'status' }, t('loading')));
      root.append(place);
      let close: (() => void) | null = null;
      let isClosed = false;
      async function show(): Promise<void> {
        try {
          const { views } = await transport.load<{ views: Partial<InnerViews> }>(BUNDLES[name]);
          if (isClosed) return;
          replace(place);
          close = views[name]?.(place, context) ?? null;
        } catch (error) {
          replace(
            place,
            h('div', { class: 'rw-failure', role: 'alert' }, t('notLoaded', { problem: (error as Error).message })),
          );
        }
      }
      void show();
      return () => {
        isClosed = true;
        close?.();
      };
    };
  return { form: lazy('form'), run: lazy('run'), sweep: lazy('sweep'), files: lazy('files'), compare: lazy('compare') };
}
