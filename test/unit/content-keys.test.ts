import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { contentKeys } from '../lint/content-keys.ts';

const FILES = {
  'type.ts': 'export interface Shape { readonly a: number }\n',
  'between.ts': "export type { Shape } from './type.ts';\n",
  'user.ts': "import type { Shape } from './between.ts';\nexport const shape: Shape = { a: 1 };\n",
  'late.ts': "export const late = async () => (await import('./type.ts'));\nexport type Data = typeof import('./data.json');\n",
  'data.json': '{}',
  'alone.ts': "import { test } from 'vitest';\ntest('nothing');\n",
};
const AMBIENT = {
  'ambient.ts': "import type { Own } from './own.ts';\ndeclare module 'vitest' { interface ProvidedContext { own: Own } }\n",
};

/** The files whose keys are other ones when a file is changed. */
function changedBy(path: string, files: Readonly<Record<string, string>>, common: readonly string[] = []): string[] {
  const root = mkdtempSync(join(tmpdir(), 'image-cleaner-keys-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const sources = Object.keys(files).filter((name) => name.endsWith('.ts'));
  const before = contentKeys(root, sources, []);
  expect(contentKeys(root, sources, [])).toEqual(before);
  if (path !== '') writeFileSync(join(root, path), `${files[path] ?? ''}\n`);
  const after = contentKeys(root, sources, common);
  return sources.filter((name) => after.get(name) !== before.get(name)).sort();
}

test('a file has another key when it changes, or anything that it comes to by imports: of types, of all that is exported, later', () => {
  expect(changedBy('user.ts', FILES)).toEqual(['user.ts']);
  expect(changedBy('between.ts', FILES)).toEqual(['between.ts', 'user.ts']);
  expect(changedBy('type.ts', FILES)).toEqual(['between.ts', 'late.ts', 'type.ts', 'user.ts']);
  expect(changedBy('data.json', FILES)).toEqual(['late.ts']);
});

test('all have when the settings change, or what declares something for all files, or that comes to by imports', () => {
  const files = { ...FILES, ...AMBIENT, 'own.ts': 'export type Own = string;\n' };
  const all = Object.keys(files)
    .filter((name) => name.endsWith('.ts'))
    .sort();
  expect(changedBy('', files, ['another compiler'])).toEqual(all);
  expect(changedBy('ambient.ts', files)).toEqual(all);
  expect(changedBy('own.ts', files)).toEqual(all);
});
