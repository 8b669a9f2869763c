import { chmod, readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isBuiltin } from 'node:module';
import { build, type Plugin } from 'esbuild';

const ENTRY_POINTS = { 'image-cleaner': 'src/cli/main.ts' };

const root = fileURLToPath(new URL('..', import.meta.url));

/** Packages that only some commands, or some of their options, need. */
const ON_DEMAND = ['yaml'];

/**
 * Node's own modules and some packages, loaded when something in them is first asked for. As imports of the bundle Node's would all be
 * loaded at its start, and every getter in them called: that of `node:http` for its WebSocket loads the whole of fetch.
 */
const modulesOnDemand: Plugin = {
  name: 'modules-on-demand',
  setup: (bundling) => {
    bundling.onResolve({ filter: /^[a-z0-9_/:]+$/ }, ({ path, namespace }) => {
      if (isBuiltin(path)) return { path, namespace: 'builtin' };
      return ON_DEMAND.includes(path) && namespace !== 'package' ? { path, namespace: 'package' } : null;
    });
    bundling.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
      const builtin = process.getBuiltinModule(path) as object;
      const load = `process.getBuiltinModule(${JSON.stringify(path)})`;
      // What is itself a function, such as EventEmitter, may be called or extended.
      return { contents: typeof builtin === 'function' ? `module.exports = ${load};` : onDemand(builtin, load) };
    });
    bundling.onLoad({ filter: /.*/, namespace: 'package' }, async ({ path }) => ({
      contents: onDemand((await import(path)) as object, `require(${JSON.stringify(path)})`),
      resolveDir: root,
    }));
  },
};

/** A module in which each name of another is a getter. */
function onDemand(loaded: object, load: string): string {
  const names = Object.keys(loaded).filter((name) => name !== 'default' && name !== 'module.exports');
  return `for (const name of ${JSON.stringify(names)}) Object.defineProperty(exports, name, { enumerable: true, get: () => ${load}[name] });`;
}

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ENTRY_POINTS,
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  // Each command loads what it runs, and no more: source that is loaded takes time and memory. With the hash of its content in its name, no
  // chunk is replaced by another version's: a program that is under way may load it later.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // With their own names functions need no code that names them, which would be run at each start, and stack traces can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  plugins: [modulesOnDemand],
  inject: ['scripts/plain-headers.ts', 'scripts/plain-base64.ts'],
  legalComments: 'linked',
  logLevel: 'warning',
  metafile: true,
});
for (const name of Object.keys(ENTRY_POINTS)) await chmod(`${root}dist/${name}.mjs`, 0o755);
await removeOthers(Object.keys(metafile.outputs).map((path) => `${root}${path}`));

/** What earlier builds have left. After the build: a program that starts meanwhile finds all of its chunks. */
async function removeOthers(paths: readonly string[]): Promise<void> {
  for (const entry of await readdir(`${root}dist`, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    if (entry.isFile() && !paths.includes(path)) await rm(path, { force: true });
  }
}
