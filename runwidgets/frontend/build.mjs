// Bundles each view into one file that a wheel carries; no code is loaded from anywhere else.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

const target = process.env.RUNWIDGETS_STATIC ?? '../static';
const sources = readdirSync('src', { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
const hash = createHash('sha256');
for (const each of sources.map(({ parentPath, name }) => `${parentPath}/${name}`).sort())
  hash.update(readFileSync(each));
const constants = { BUILD: JSON.stringify(hash.digest('hex').slice(0, 12)) };
const options = { bundle: true, minify: true, target: 'es2022', define: constants, logLevel: 'warning' };
await build({
  ...options,
  entryPoints: ['form', 'run', 'results', 'table', 'sweep', 'browser', 'markdown'].map(
    (name) => `src/hosts/anywidget/${name}.ts`,
  ),
  format: 'esm',
  outdir: target,
});
const STYLE = 'src/views/style.css';
await build({ ...options, entryPoints: [STYLE], outfile: `${target}/style.css` });

// The prebuilt extension of JupyterLab. Its files are cached forever, so each has its hash in its name.
const extension = `${target}/lab`;
rmSync(extension, { recursive: true, force: true });
async function bundle(entry, name, more) {
  const made = await build({
    ...options,
    ...more,
    entryPoints: [entry],
    entryNames: `${name}.[hash]`,
    outdir: `${extension}/static`,
    metafile: true,
  });
  return basename(Object.keys(made.metafile.outputs)[0]);
}
/** Provide the text of the style sheet to the module that imports it. */
const styleAsText = {
  name: 'style-as-text',
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, () => ({ contents: readFileSync(`${target}/style.css`), loader: 'text' }));
  },
};
const output = await bundle('src/hosts/mime/saved-output.ts', 'saved-output', {
  format: 'esm',
  plugins: [styleAsText],
});
const define = { SAVED_OUTPUT: JSON.stringify(output) };
const entry = await bundle('src/hosts/mime/extension.ts', 'remoteEntry', { format: 'iife', define });
const source = readFileSync('../__init__.py', 'utf-8');
const [, release, stage] = /^__version__ = "(\d+\.\d+\.\d+)\.?(.*)"$/m.exec(source);
const version = stage ? `${release}-${stage}` : release; // as npm writes it
const about = {
  name: 'runwidgets',
  version,
  description: 'Shows runs of notebooks, live.',
  license: 'BSD-3-Clause',
  jupyterlab: { mimeExtension: true, _build: { load: `static/${entry}`, mimeExtension: './mimeExtension' } },
};
const install = {
  packageManager: 'python',
  packageName: 'runwidgets',
  uninstallInstructions: 'Use your Python package manager (pip, conda, …) to uninstall the package runwidgets.',
};
writeFileSync(`${extension}/package.json`, `${JSON.stringify(about, null, 2)}\n`);
writeFileSync(`${extension}/install.json`, `${JSON.stringify(install, null, 2)}\n`);
