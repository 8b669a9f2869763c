/* eslint-disable no-console -- part of the test runner */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { copyTree } from './copy-tree.ts';

/** Fails when what is committed is not what `npm run generate` makes of proto/, src/api/, src/installation/ and src/cli/, in a copy: others work with the tree. */
const CHART = 'deploy/chart/image-cleaner';
const FOLDERS = ['src/cri/gen', 'src/scan/gen', 'deploy/crds', 'deploy/manifest', CHART, `${CHART}/templates`, 'docs/reference'];
const read = (tree: string): Map<string, string> =>
  new Map(
    FOLDERS.flatMap((folder) =>
      readdirSync(join(tree, folder), { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => [join(folder, name), readFileSync(join(tree, folder, name), 'utf8')] as const),
    ),
  );

const copy = await copyTree(fileURLToPath(new URL('..', import.meta.url)));
try {
  const committed = read(copy);
  execFileSync(join(copy, 'scripts/generate'), { stdio: ['ignore', 'ignore', 'inherit'] });
  const generated = read(copy);
  const different = [...new Set([...committed.keys(), ...generated.keys()])].filter((file) => committed.get(file) !== generated.get(file));
  if (different.length > 0) {
    console.error(`Not what proto/, src/api/, src/installation/ and src/cli/ say: ${different.join(', ')}. Run npm run generate.`);
    process.exitCode = 1;
  }
} finally {
  await rm(copy, { recursive: true, force: true });
}
