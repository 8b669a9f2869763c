/* eslint-disable no-console -- part of the test runner */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { contentKeys } from './content-keys.ts';
import { addKnownKeys, readKnownKeys } from './known-keys.ts';
import { filesOf } from './tree.ts';

/**
 * `eslint --max-warnings 0 .`, but for files that it has found nothing in before, with all that their types depend on as it is now. ESLint's own cache
 * looks at the file alone.
 */
const root = fileURLToPath(new URL('../..', import.meta.url));
// Each file is looked at once: nothing is kept for a second time.
process.env['TSESTREE_SINGLE_RUN'] = 'true';
const eslint = new ESLint({ cwd: root });

/** All that `eslint .` takes. */
async function sourceFiles(): Promise<string[]> {
  const paths = (await filesOf(root)).filter((path) => /\.[cm]?[jt]s$/.test(path));
  const isIgnored = await Promise.all(paths.map((path) => eslint.isPathIgnored(join(root, path))));
  return paths.filter((_, at) => isIgnored[at] !== true);
}

/** What decides beside the sources. The lock file has the compiler, the rules and all packages. */
async function settings(): Promise<string[]> {
  const named = ['eslint.config.js', 'tsconfig.json', 'package.json', 'package-lock.json'];
  return [process.version, ...(await Promise.all(named.map((name) => readFile(join(root, name), 'utf8'))))];
}

const files = await sourceFiles();
const keysNow = async (): Promise<Map<string, string>> => contentKeys(root, files, await settings());
const keys = await keysNow();
const known = await readKnownKeys();
const unknown = files.filter((path) => !known.has(keys.get(path) ?? ''));
const results = unknown.length === 0 ? [] : await eslint.lintFiles(unknown);
const bad = results.filter(({ messages }) => messages.length > 0);
if (bad.length > 0) console.log(await (await eslint.loadFormatter('stylish')).format(bad));
const badPaths = new Set(bad.map(({ filePath }) => relative(root, filePath)));
// Unless someone has changed it meanwhile.
if (unknown.length > 0) {
  const after = await keysNow();
  await addKnownKeys([...keys].flatMap(([path, key]) => (badPaths.has(path) || after.get(path) !== key ? [] : [key])));
}
process.exitCode = bad.length > 0 ? 1 : 0;
