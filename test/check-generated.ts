/* eslint-disable no-console -- part of the test runner */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

/** Fails when what is committed is not what `npm run generate` makes of proto/, src/api/ and deploy/rbac/; the working tree is left as it was. */
const root = fileURLToPath(new URL('..', import.meta.url));
const folders = ['src/cri/gen', 'src/scan/gen', 'deploy/crds', 'deploy/manifest', 'docs/reference'];
const read = (): Map<string, string> =>
  new Map(
    folders.flatMap((folder) =>
      readdirSync(join(root, folder)).map((file) => [join(folder, file), readFileSync(join(root, folder, file), 'utf8')] as const),
    ),
  );

const committed = read();
execFileSync(join(root, 'scripts/generate'), { stdio: ['ignore', 'ignore', 'inherit'] });
const generated = read();
for (const [file, text] of committed) writeFileSync(join(root, file), text);
const different = [...new Set([...committed.keys(), ...generated.keys()])].filter((file) => committed.get(file) !== generated.get(file));
if (different.length > 0) {
  console.error(`Not what proto/, src/api/ and deploy/rbac/ say: ${different.join(', ')}. Run npm run generate.`);
  process.exitCode = 1;
}
