/**
 * The JupyterLab extension: a mime renderer for runs and sweeps, whose outputs outlive kernel and page.
 *
 * JupyterLab expects a prebuilt extension to be a script that sets a container with `init` and `get`; what
 * webpack would generate is written here by hand. Lumino's widget class is that of the page:
 * the layouts of the page would not recognise a second one. The view is loaded when an output is first shown.
 */
import type { JsonValue } from '../../model/types';

/** The name of the file with the view, in the folder of this one; set by build.mjs. */
declare const SAVED_OUTPUT: string;

const NAME = 'runwidgets';
const TYPES = ['application/vnd.runwidgets.run+json', 'application/vnd.runwidgets.sweep+json'];

interface Lumino {
  Widget: new () => { readonly node: HTMLElement; readonly isDisposed: boolean; dispose(): void };
}
type Shared = { [version: string]: { loaded?: unknown; get(): Promise<() => Lumino> | (() => Lumino) } };
interface MimeModel {
  readonly data: { readonly [type: string]: JsonValue };
  readonly trusted: boolean;
}

const home = (document.currentScript as HTMLScriptElement).src;
let shared: Shared = {};

/** Return the Lumino of the page, which is loaded already. */
async function lumino(): Promise<Lumino> {
  const versions = Object.values(shared);
  const chosen = versions.find((each) => each.loaded) ?? versions[versions.length - 1];
  if (!chosen) throw new Error(`${NAME}: this page shares no @lumino/widgets`);
  return (await chosen.get())();
}

async function makePlugin(): Promise<object> {
  const { Widget } = await lumino();

  class Card extends Widget {
    private latest: MimeModel | null = null;
    private close: () => void = () => undefined;

    constructor(private readonly type: string) {
      super();
      this.node.dataset.mimeType = type; // as JupyterLab's own renderers do
    }

    /** Show a model; called again when the notebook becomes trusted, or the output is updated. */
    async renderModel(model: MimeModel): Promise<void> {
      this.latest = model;
      const { show } = (await import(new URL(SAVED_OUTPUT, home).href)) as typeof import('./saved-output');
      if (this.isDisposed || this.latest !== model) return;
      this.close();
      this.close = show(this.node, model.data[this.type] ?? null, model.trusted);
    }

    override dispose(): void {
      this.close();
      this.close = () => undefined;
      super.dispose();
    }
  }

  return {
    id: `${NAME}:run`,
    description: 'Shows runs and sweeps of notebooks, live.',
    rendererFactory: {
      safe: true,
      mimeTypes: TYPES,
      createRenderer: ({ mimeType }: { mimeType: string }) => new Card(mimeType),
    },
    rank: 0,
    dataType: 'json',
  };
}

const page = window as unknown as { _JUPYTERLAB?: { [name: string]: object } };
page._JUPYTERLAB ??= {};
page._JUPYTERLAB[NAME] = {
  init(scope: { [name: string]: Shared }): void {
    shared = scope['@lumino/widgets'] ?? {};
  },
  async get(module: string): Promise<() => object> {
    if (module !== './mimeExtension') throw new Error(`${NAME}: there is no module ${module}`);
    const plugin = await makePlugin();
    return () => ({ __esModule: true, default: plugin });
  },
};
