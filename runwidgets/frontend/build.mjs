// Bundles each view into one file that a wheel carries; no code is loaded from anywhere else.
import { build } from 'esbuild';
import { copyFileSync } from 'node:fs';

const target = process.env.RUNWIDGETS_STATIC ?? '../static';
await build({
  entryPoints: ['form', 'run', 'results', 'table', 'browser'].map((name) => `src/hosts/${name}.ts`),
  bundle: true,
  format: 'esm',
  minify: true,
  target: 'es2022',
  outdir: target,
  logLevel: 'warning',
});
copyFileSync('src/style.css', `${target}/style.css`);
