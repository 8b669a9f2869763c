import { chmod } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Bundles each entry point by itself into `dist/`, so that each carries only what it runs. */
const ENTRY_POINTS = { 'image-cleaner': 'src/cli/main.ts' };

const root = fileURLToPath(new URL('..', import.meta.url));

await build({
  absWorkingDir: root,
  entryPoints: ENTRY_POINTS,
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minify: true,
  keepNames: true,
  legalComments: 'linked',
  logLevel: 'warning',
  // Some packages are CommonJS and call require for Node's own modules.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
});
for (const name of Object.keys(ENTRY_POINTS)) await chmod(`${root}dist/${name}.mjs`, 0o755);
