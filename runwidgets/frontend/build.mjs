// Bundles each view into one file that a wheel carries; no code is loaded from anywhere else.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, readdirSync } from 'node:fs';

const target = process.env.RUNWIDGETS_STATIC ?? '../static';
const sources = readdirSync('src', { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
const hash = createHash('sha256');
for (const each of sources.map(({ parentPath, name }) => `${parentPath}/${name}`).sort()) hash.update(readFileSync(each));
await build({
  entryPoints: ['form', 'run', 'results', 'table'].map((name) => `src/hosts/${name}.ts`),
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  outdir: target,
  define: { BUILD: JSON.stringify(hash.digest('hex').slice(0, 12)) },
  logLevel: 'warning',
});
copyFileSync('src/style.css', `${target}/style.css`);
