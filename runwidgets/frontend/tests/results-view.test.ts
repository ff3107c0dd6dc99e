import { expect, test, vi } from 'vitest';
import { readAnsi, visible } from '../src/model/ansi';
import { numberOf, parseTable, separatorOf, sortRows } from '../src/model/files/csv';
import type { Notebook } from '../src/model/files/notebook';
import { ApiError, type Transport } from '../src/model/transport';
import type { FileHandle, RunHandle } from '../src/model/types';
import { ansiText } from '../src/views/ansi-text';
import { markdown } from '../src/views/previews/markdown';
import { notebookPreview } from '../src/views/previews/notebook';
import { preview } from '../src/views/previews/preview';
import { readTable } from '../src/views/previews/table';
import { hexHead } from '../src/views/previews/text';
import { tree } from '../src/views/previews/tree';
import { fileList, inOrder, isNamed } from '../src/views/results/file-list';

URL.createObjectURL = () => 'blob:made';
URL.revokeObjectURL = () => undefined;
const HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script>\x1b[31m\u202egnp.exe';

const file = (name: string, mimeType: string, more: Partial<FileHandle> = {}): FileHandle => ({
  id: name,
  name,
  mimeType,
  size: 10,
  ...more,
});

/** A server that holds one file, and keeps how much of it was asked for. */
function serving(content: string | Uint8Array | ApiError): Transport & { limits: number[] } {
  const limits: number[] = [];
  const text = async (_path: string, limit: number) => {
    limits.push(limit);
    if (content instanceof ApiError) throw content;
    const all = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    return { bytes: all.slice(0, limit), isWhole: all.length <= limit };
  };
  return {
    text,
    limits,
    load: async () => ({ markdown }),
    url: (path: string) => `/api/${path}`,
    clockAhead: 0,
  } as unknown as Transport & { limits: number[] };
}

async function shown(given: FileHandle, content: string | Uint8Array | ApiError): Promise<HTMLElement> {
  const { element } = preview(given, { id: 'r', state: 'SUCCESS' }, serving(content));
  await vi.waitFor(() => expect(element.textContent).not.toContain('Loading…'));
  return element;
}

test('a column of numbers sorts by their values, words after numbers, empty cells and NaN last in both directions', () => {
  const rows = ['10', '', '9', 'b', '-inf', '1e1', 'NaN', 'a'].map((cell, at) => [cell, String(at)]);

  expect(sortRows(rows, 0, true).map((row) => row[0])).toEqual(['-inf', '9', '10', '1e1', 'a', 'b', '', 'NaN']);
  expect(sortRows(rows, 0, false).map((row) => row[0])).toEqual(['b', 'a', '10', '1e1', '9', '-inf', '', 'NaN']);
  expect(rows[0]).toEqual(['10', '0']);
  expect([numberOf(' 1.5 '), numberOf('0x10'), numberOf('1,5'), numberOf('')]).toEqual([1.5, null, null, null]);
});

test('a table truncated in the middle of a row is shown without that row, and semicolons separate where there are no commas', () => {
  expect(readTable('a,b\n1,2\n3,', 'text/csv', false).rows).toEqual([['1', '2']]);
  expect(readTable('\ufeffa;b\n1,5;2\n', 'text/csv', true)).toMatchObject({ head: ['a', 'b'], rows: [['1,5', '2']] });
  expect(separatorOf('a,b;c')).toBe(',');
});

test('a table shows 200 rows and 50 columns, says of how many, and more on request', async () => {
  const lines = [...Array(230).keys()].map((row) => [...Array(52).keys()].map((column) => row * column).join(','));
  const element = await shown(file('t.csv', 'text/csv'), [Array(52).fill('c').join(','), ...lines].join('\n'));
  const size = () => [element.querySelectorAll('tbody tr').length, element.querySelectorAll('th').length];

  expect(size()).toEqual([200, 50]);
  expect(element.textContent).toContain('showing the first 200 of 230 rows and the first 50 of 52 columns');
  const click = (words: string) =>
    [...element.querySelectorAll('button')].find((each) => each.textContent === words)?.click();
  click('Show 200 more rows');
  click('Show 50 more columns');
  expect(size()).toEqual([230, 52]);
});

test('nothing is fetched beyond its limit, and a picture that is too large is not fetched at all', async () => {
  const long = serving('x\n'.repeat(900_000));
  const { element } = preview(file('log.txt', 'text/plain', { size: 1_800_000 }), { id: 'r', state: 'SUCCESS' }, long);
  await vi.waitFor(() => expect(element.textContent).toContain('showing the first 1.0 MB of 1.8 MB'));
  const large = await shown(file('big.png', 'image/png', { size: 30_000_000 }), '');

  expect(long.limits).toEqual([1_000_000]);
  expect(large.querySelector('img')).toBe(null);
  expect(large.textContent).toContain('too large to preview (30.0 MB)');
});

test('a file that is gone or refused is reported where it would be shown', async () => {
  const gone = await shown(file('a.txt', 'text/plain'), new ApiError('no such file', 404, 'UnknownFileError'));
  const refused = await shown(file('a.txt', 'text/plain'), new ApiError('not yours', 403, ''));

  expect(gone.querySelector('[role=alert]')?.textContent).toContain('no longer there');
  expect(refused.querySelector('[role=alert]')?.textContent).toContain('not yours');
});

test('a file that is not text is shown as bytes', async () => {
  const element = await shown(file('a.txt', 'text/plain'), new Uint8Array([0xff, 0x41, 0x0a]));

  expect(element.textContent).toContain('Its first 3 bytes:');
  expect(hexHead(new Uint8Array([0xff, 0x41, 0x0a]))).toMatch(/^000000 {2}ff 41 0a +·A·$/);
});

test('colours of a terminal become spans; sequences are never shown', () => {
  const pieces = readAnsi('a\x1b[1;31mb\x1b[0mc\x1b[38;5;196md\x1b[38;2;1;2;3me\x1b[2Kf\x1b]0;title\x07g');

  expect(pieces.map((piece) => [piece.text, piece.colour, piece.isBold])).toEqual([
    ['a', null, false],
    ['b', 'var(--rw-ansi-1)', true],
    ['c', null, false],
    ['d', 'rgb(255, 0, 0)', false],
    ['e', 'rgb(1, 2, 3)', false],
    ['f', 'rgb(1, 2, 3)', false],
    ['g', 'rgb(1, 2, 3)', false],
  ]);
  expect(ansiText('\x1b[38;2;1;url(x);3mq', 'k').textContent).toContain('q');
});

test('control characters and changes of direction are visible', () => {
  expect(visible('a\u202eb\x1b\x07\n')).toBe('a⟨U+202E⟩b␛␇\n');
  expect(visible('a\nb', true)).toBe('a␊b');
});

test('hostile strings in cells, keys, Markdown, outputs and names stay text', async () => {
  const notebook: Notebook = {
    cells: [
      { cell_type: 'markdown', source: `# ${HOSTILE}\n\n[link](javascript:alert(3)) ![i](https://evil.example/x.png)` },
      {
        cell_type: 'code',
        source: HOSTILE,
        outputs: [
          { output_type: 'stream', text: HOSTILE },
          { output_type: 'error', traceback: [HOSTILE] },
          { output_type: 'display_data', data: { 'application/javascript': HOSTILE } },
          { output_type: 'display_data', data: { 'text/html': HOSTILE } },
          { output_type: 'display_data', data: { 'application/json': { [HOSTILE]: HOSTILE } } },
        ],
      },
    ],
  };
  const elements = [
    await shown(file(HOSTILE, 'text/csv'), `${HOSTILE},b\n${HOSTILE},2\n`),
    await shown(file(HOSTILE, 'application/json'), JSON.stringify({ [HOSTILE]: HOSTILE })),
    await shown(file(HOSTILE, 'text/plain'), HOSTILE),
    notebookPreview(notebook, markdown),
    markdown(HOSTILE),
    tree({ [HOSTILE]: [HOSTILE] }),
  ];

  for (const element of elements) {
    expect(element.querySelectorAll('script, img, [onerror], a[href^=javascript]').length).toBe(0);
    expect(element.textContent).toContain('<img src=x onerror=alert(1)>');
    expect(element.textContent).not.toContain('\u202e');
  }
  const frames = [...(elements[3] as Element).querySelectorAll('iframe')];
  expect(frames.map((each) => each.getAttribute('sandbox'))).toEqual(['allow-scripts']);
});

test('Markdown has headings, lists, tables, code and links, and entities are decoded', () => {
  const element = markdown(
    '# T &amp; <b>\n\n- one\n- **two**\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n```\nx < y\n```\n\n<https://a.example>',
  );

  expect(element.querySelector('h3')?.textContent).toBe('T & <b>');
  expect([element.querySelectorAll('li').length, element.querySelectorAll('td').length]).toEqual([2, 2]);
  expect(element.querySelector('pre')?.textContent).toBe('x < y');
  expect(element.querySelector('a')?.getAttribute('rel')).toBe('noopener noreferrer');
});

test('declared outputs come first, and names are found whatever their case', () => {
  const [plain, declared] = [file('a', 'x/y'), file('Plot.png', 'x/y', { title: 'The plot' })];
  const files = [plain, declared, file('b', 'x/y')];

  expect(inOrder(files).map((each) => each.name)).toEqual(['Plot.png', 'a', 'b']);
  expect([isNamed(declared, ' plot'), isNamed(plain, 'plot')]).toEqual([true, false]);
});

test('separated values keep quotes, line ends and separators inside quotes', () => {
  const text = 'a,b\n"x, ""y""\nz",2\r\n3,\n';

  expect(parseTable(text, ',', 100).rows).toEqual([
    ['a', 'b'],
    ['x, "y"\nz', '2'],
    ['3', ''],
  ]);
  expect(parseTable(text, ',', 1)).toEqual({ rows: [['a', 'b']], isWhole: false });
});

test('partial files are marked, have their own path, and are in no archive', () => {
  const files = [file('checkpoint.pt', 'application/octet-stream'), file('p.ipynb', 'application/x-ipynb+json')];
  const failed = { id: 'r', state: 'ERROR', partialFiles: files } as unknown as RunHandle;
  const { element, close } = fileList(failed, serving(''));
  const links = [...element.querySelectorAll('a')].map((link) => link.getAttribute('href'));

  expect(element.textContent).toContain('These files are not results');
  expect(element.querySelectorAll('li .rw-partial').length).toBe(2);
  expect(links).toEqual(['/api/runs/r/downloads/partial/checkpoint.pt', '/api/runs/r/downloads/partial/p.ipynb']);
  close();

  const good = fileList({ id: 'r', state: 'SUCCESS', files } as unknown as RunHandle, serving(''));
  expect(good.element.querySelector('.rw-partial')).toBeNull();
  expect(good.element.textContent).not.toContain('not results');
  expect(good.element.querySelector('a[href="/api/runs/r/downloads/archive"]')).not.toBeNull();
  good.close();
});
