import { bytes } from '../../model/format';
import { t } from '../../model/messages';
import { ApiError } from '../../model/transport';
import type { JsonValue, ParameterHandle, UploadHandle } from '../../model/types';
import { h, replace } from '../dom';
import { type Control, type FormContext, NOTHING } from './control';
import { browse } from './server-files';

interface Chosen {
  fileId: string;
  targetPath?: string;
}

/** The control of a file: an upload of the group, a local file, or a file of the server. */
export function files(parameter: ParameterHandle, place: FormContext, changed: () => void): Control {
  const { transport, uploads } = place;
  let chosen: Chosen | null = null;
  let sending: AbortController | null = null;
  let failure: string | null = null;
  let odd: JsonValue = null;
  const preset = typeof parameter.defaultValue === 'string' ? parameter.defaultValue : null;
  const title = parameter.label ?? parameter.name;

  const picker = h('input', {
    type: 'file',
    hidden: true,
    tabindex: -1,
    'aria-label': t('chooseFile'),
    onchange: () => {
      void send([...(picker.files ?? [])]);
      picker.value = '';
    },
  });
  const input = h('select', { class: 'rw-input', onchange: () => take(input.value ? { fileId: input.value } : null) });
  const button = h(
    'button',
    { type: 'button', class: 'rw-button', 'aria-label': `${t('chooseFile')}: ${title}`, onclick: () => picker.click() },
    t('chooseFile'),
  );
  const panel = h('div', { class: 'rw-browse', hidden: true });
  const opener = h(
    'button',
    {
      type: 'button',
      class: 'rw-button',
      'aria-expanded': 'false',
      'aria-label': `${t('browseServer')}: ${title}`,
      onclick: () => (panel.hidden ? open() : close()),
    },
    t('browseServer'),
  );
  const bar = h('progress', { max: 1, value: 0, 'aria-label': t('uploadProgress', { name: title }) });
  const stop = h('button', { type: 'button', class: 'rw-button', onclick: () => sending?.abort() }, t('stopUpload'));
  const busy = h('div', { class: 'rw-busy', hidden: true }, bar, stop);
  const status = h('div', { class: 'rw-dim', role: 'status' });
  const limit = h('div', { class: 'rw-dim' });
  const element = h('div', { class: 'rw-upload' }, input, button, opener, picker, busy, limit, status, panel);

  function list(): void {
    replace(
      input,
      h('option', { value: '' }, preset ? t('default', { value: preset }) : t('chooseUpload')),
      ...uploads.list.map((each) => h('option', { value: each.id }, `${each.name} (${bytes(each.size)})`)),
    );
    if (chosen && !uploads.list.some((each) => each.id === chosen?.fileId)) {
      input.append(h('option', { value: chosen.fileId }, uploads.isLoaded ? t('uploadGone') : t('loading')));
    }
    input.value = chosen?.fileId ?? '';
    limit.textContent = uploads.limit === null ? t('dropHere') : t('dropHereUpTo', { size: bytes(uploads.limit) });
    if (uploads.failure) status.textContent = uploads.failure;
  }
  function take(file: Chosen | null): void {
    chosen = file;
    failure = odd = null;
    status.textContent = '';
    changed();
  }
  function refuse(problem: string): void {
    failure = problem;
    changed();
  }
  async function store(name: string, work: () => Promise<UploadHandle>): Promise<void> {
    failure = null;
    status.textContent = t('uploading', { name });
    try {
      const upload = await work();
      uploads.add(upload);
      take({ fileId: upload.id });
      list();
      status.textContent = t('uploaded', { name: upload.name, size: bytes(upload.size) });
      close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failure = error.kind === 'Aborted' ? null : error.message;
      status.textContent = error.kind === 'Aborted' ? t('uploadStopped') : '';
      changed();
    }
  }
  async function send(given: File[]): Promise<void> {
    const [file, another] = given;
    if (!file || sending) return;
    if (another) return refuse(t('oneFile', { n: given.length }));
    if (uploads.limit !== null && file.size > uploads.limit) {
      return refuse(t('fileTooLarge', { name: file.name, size: bytes(file.size), limit: bytes(uploads.limit) }));
    }
    sending = new AbortController();
    const { signal } = sending;
    busy.hidden = false;
    button.disabled = opener.disabled = true;
    stop.setAttribute('aria-label', t('stopUploadOf', { name: file.name }));
    bar.value = 0;
    await store(file.name, () =>
      transport.upload<UploadHandle>(
        uploads.path,
        file,
        (fraction) => {
          bar.value = fraction;
        },
        signal,
      ),
    ).finally(() => {
      sending = null;
      busy.hidden = true;
      button.disabled = opener.disabled = false;
    });
  }
  function open(): void {
    panel.hidden = false;
    opener.setAttribute('aria-expanded', 'true');
    browse(panel, transport, {
      chosen: (path) =>
        void store(path, () => transport.send<UploadHandle>('POST', uploads.path, { path })).then(() => opener.focus()),
      closed: () => {
        close();
        opener.focus();
      },
    });
  }
  function close(): void {
    panel.hidden = true;
    opener.setAttribute('aria-expanded', 'false');
    replace(panel);
  }

  element.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.stopPropagation();
    element.classList.add('rw-over');
  });
  element.addEventListener('dragleave', () => element.classList.remove('rw-over'));
  element.addEventListener('drop', (event) => {
    element.classList.remove('rw-over');
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would upload it beside the notebook
    void send([...event.dataTransfer.files]);
  });
  list();
  uploads.observe(() => {
    list();
    changed();
  });
  return {
    element,
    input,
    read: () => {
      if (odd !== null) return { isGiven: true, value: odd };
      return chosen ? { isGiven: true, value: { type: '$file', value: { ...chosen } } } : NOTHING;
    },
    problem: () => {
      if (failure !== null) return failure;
      if (sending) return t('stillUploading');
      const isGone = chosen !== null && uploads.isLoaded && !uploads.list.some((each) => each.id === chosen?.fileId);
      if (isGone) return t('uploadGone');
      return odd === null ? null : t('noFile');
    },
    write: (value) => {
      const about = (value as { value?: Chosen } | null)?.value;
      chosen = about && typeof about.fileId === 'string' ? about : null;
      odd = chosen ? null : value;
      failure = null;
      list();
    },
    clear: () => {
      chosen = failure = odd = null;
      status.textContent = '';
      list();
    },
  };
}
