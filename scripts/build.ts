import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuiltin } from 'node:module';
import { build, type BuildOptions, type Plugin } from 'esbuild';
import { buildMkfifo } from './build-mkfifo.ts';
import { definitionsAsJson } from './definitions-as-json.ts';
import { descriptorsAsJson } from './descriptors-as-json.ts';
import { importGroups } from './import-groups.ts';
import { leftOut } from './left-out.ts';
import { unusedSchemas } from './unused-schemas.ts';
import { zodWithoutJit } from './zod-without-jit.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Made of the bundles, by `build-images.ts`. */
const IMAGES = `${root}dist/images/`;

/** Packages that only some commands, or some of their options, need. */
const ON_DEMAND = ['yaml', 'semver'];

/** Modules that Node has loaded before any program, or would load for all of ours. */
const AT_HAND = ['crypto', 'fs', 'fs/promises', 'os', 'path', 'process', 'timers/promises', 'url', 'util'].map((name) => `node:${name}`);

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
      if (AT_HAND.includes(path)) return { contents: atHand(builtin, load) };
      // What is itself a function, such as EventEmitter, may be called or extended.
      return { contents: typeof builtin === 'function' ? `module.exports = ${load};` : onDemand(builtin, load) };
    });
    bundling.onLoad({ filter: /.*/, namespace: 'package' }, async ({ path }) => ({
      contents: onDemand((await import(path)) as object, `require(${JSON.stringify(path)})`),
      resolveDir: root,
    }));
  },
};

/** A module with the names of another, of which the bundle keeps those that are used. */
function atHand(loaded: object, load: string): string {
  const names = Object.keys(loaded).filter((name) => name !== 'default' && name !== 'module.exports');
  const exported = names.map((name) => `export const ${name} = /* @__PURE__ */ get(${JSON.stringify(name)});`);
  return `const builtin = ${load};\nconst get = (name) => builtin[name];\n${exported.join('\n')}\nexport default builtin;`;
}

/** A module in which each name of another is a getter. */
function onDemand(loaded: object, load: string): string {
  const names = Object.keys(loaded).filter((name) => name !== 'default' && name !== 'module.exports');
  return `for (const name of ${JSON.stringify(names)}) Object.defineProperty(exports, name, { enumerable: true, get: () => ${load}[name] });`;
}

/** What the command line imports on demand: what is needed together, and what is seldom needed. */
const COMMAND_GROUPS = {
  list: ['src/cli/commands/list.ts'],
  plan: ['src/cli/commands/clean.ts', 'src/cli/commands/explain.ts', 'src/cli/commands/scan.ts'],
  files: ['src/cli/apply-config.ts', 'src/cli/output/yaml-pieces.ts', 'src/cli/read-ignore-file.ts', 'src/cri/parse-crictl-config.ts'],
  cluster: [
    ...(await readdir(`${root}src/cli/cluster/commands`)).map((file) => `src/cli/cluster/commands/${file}`),
    'src/kube/exec-in-pod.ts',
    'src/kube/kubeconfig-access.ts',
  ],
  others: [
    'src/cli/commands/clean-on-schedule.ts',
    'src/cli/commands/completion.ts',
    'src/cli/commands/doctor.ts',
    'src/cli/commands/history.ts',
    'src/cli/commands/verify-audit-log.ts',
    'src/cli/read-schedule.ts',
  ],
  postgres: ['src/cli/open-postgres-history.ts', 'src/store/postgres/open-postgres.ts'],
};

/** What each program of a worker pod imports on demand; all else all of them need. */
const PROGRAM_GROUPS = {
  collector: ['src/worker/collector-program.ts'],
  remover: ['src/worker/remover-program.ts'],
  scanner: [
    'src/worker/scanner-program.ts',
    'src/worker/bind/connect-scanner.ts',
    'src/scan/trivy-reader.ts',
    'src/scan/trivy-scanner.ts',
    'src/scan/plan-scan-concurrency.ts',
  ],
  lone: ['src/worker/lone-coordinator.ts', 'src/worker/read-config.ts', 'src/api/eraser-config/scan-policy-of.ts'],
};

/** For JSON schemas, which are made when we build. */
const NOT_CALLED_OF_ZOD = ['zod/v4/core/json-schema-processors.js', 'zod/v4/core/to-json-schema.js'];

/** For changes of a database's schema, merges, queries of JSON and of other schemas. */
const NOT_CALLED = [
  ...NOT_CALLED_OF_ZOD,
  'kysely/dist/dialect/sqlite/sqlite-introspector.js',
  'kysely/dist/plugin/with-schema/with-schema-plugin.js',
  'kysely/dist/query-builder/json-path-builder.js',
  'kysely/dist/query-builder/merge-query-builder.js',
  'kysely/dist/schema/schema-module.js',
];

const COMMON = {
  absWorkingDir: root,
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // With their own names functions need no code that names them, which would be run at each start, and stack traces can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  plugins: [modulesOnDemand, descriptorsAsJson, unusedSchemas],
  inject: ['scripts/plain-headers.ts', 'scripts/plain-base64.ts'],
  legalComments: 'linked',
  logLevel: 'warning',
  write: false,
} as const satisfies BuildOptions;

const commandLine = await build({
  ...COMMON,
  entryPoints: { 'image-cleaner': 'src/cli/main.ts' },
  // Each command loads what it runs, and no more: source that is loaded takes time and memory. With the hash of its content in its name, no
  // chunk is replaced by another version's: a program that is under way may load it later.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  plugins: [...COMMON.plugins, definitionsAsJson, importGroups(root, COMMAND_GROUPS), leftOut(NOT_CALLED)],
});
const worker = await build({
  ...COMMON,
  entryPoints: { worker: 'src/worker/main.ts' },
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  plugins: [...COMMON.plugins, importGroups(root, PROGRAM_GROUPS), leftOut(NOT_CALLED_OF_ZOD), zodWithoutJit],
});
// It speaks with the API server through undici, which has headers of its own, and in a pod has no use for the code that reads kubeconfigs.
const controller = await build({
  ...COMMON,
  entryPoints: { controller: 'src/controller/main.ts' },
  plugins: [unusedSchemas],
  inject: [],
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});
const STAGE = `${root}node_modules/.cache/image-cleaner/build-${process.pid}`;
await mkdir(STAGE, { recursive: true });
const PROGRAMS = ['image-cleaner', 'worker', 'controller'].map((name) => `${root}dist/${name}.mjs`);
const files = [commandLine, worker, controller].flatMap(({ outputFiles }) => outputFiles);
for (const { path, contents } of files) await put(path, contents, PROGRAMS.includes(path) ? 0o755 : 0o644);
const mkfifo = `${root}dist/mkfifo`;
const built = `${STAGE}/mkfifo`;
if (await buildMkfifo(built)) await put(mkfifo, await readFile(built), 0o755);
else process.stderr.write('dist/mkfifo, which worker pods need, is not built: there is no Go on PATH\n');
await removeOthers([...files.map(({ path }) => path), mkfifo]);
await rm(STAGE, { recursive: true });

/** A program that starts meanwhile, also by another build at the same time, finds each file whole. */
async function put(path: string, contents: Uint8Array, mode: number): Promise<void> {
  const existing = await readFile(path).catch(() => null);
  if (existing?.equals(contents) === true) return;
  await mkdir(dirname(path), { recursive: true });
  const staged = `${STAGE}/${basename(path)}`;
  await writeFile(staged, contents);
  await chmod(staged, mode);
  await rename(staged, path);
}

/** What earlier builds have left. After the build: a program that starts meanwhile finds all of its chunks. */
async function removeOthers(paths: readonly string[]): Promise<void> {
  for (const entry of await readdir(`${root}dist`, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    if (entry.isFile() && !paths.includes(path) && !path.startsWith(IMAGES)) await rm(path, { force: true });
  }
}
