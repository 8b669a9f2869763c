import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { programFiles } from '../../scripts/images/program-files.ts';

test('each bundle of an image begins with the Node of the image, the manager’s with the one option that keeps its memory small', async () => {
  const root = await mkdtemp(join(tmpdir(), 'image-cleaner-program-'));
  onTestFinished(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'dist'));
  for (const name of ['image-cleaner', 'controller'])
    await writeFile(join(root, `dist/${name}.mjs`), `#!/usr/bin/env node\nrun('${name}');\n`);
  for (const name of ['LICENSE', 'NOTICE']) await writeFile(join(root, name), name);
  await writeFile(join(root, 'package.json'), JSON.stringify({ version: '1.2.3' }));
  const { files } = await programFiles({ root, onProgress: () => undefined });
  expect(files['usr/lib/image-cleaner/image-cleaner.mjs']).toEqual({ content: "#!/usr/bin/node\nrun('image-cleaner');\n", mode: 0o755 });
  // Linux hands all that follows the interpreter to it as one argument.
  expect(files['usr/lib/image-cleaner/controller.mjs']).toEqual({
    content: "#!/usr/bin/node --optimize-for-size\nrun('controller');\n",
    mode: 0o755,
  });
});
