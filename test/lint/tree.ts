import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

const NO_SOURCE = ['node_modules', '.git', 'dist', 'coverage'];

/** The paths, below `root` and in order, of the project's own files. */
export async function filesOf(root: string): Promise<string[]> {
  const parts = (await readdir(root, { withFileTypes: true })).filter(({ name }) => !NO_SOURCE.includes(name));
  const below = await Promise.all(
    parts.map(async (part) =>
      part.isDirectory() ? await readdir(join(root, part.name), { recursive: true, withFileTypes: true }) : [part],
    ),
  );
  return below
    .flat()
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

/** Another one when any of the project's own files changes, or Node. The lock file has all packages. */
export async function treeKey(root: string): Promise<string> {
  const hash = createHash('sha256').update(process.version);
  for (const path of await filesOf(root)) {
    const content = await readFile(join(root, path));
    hash.update(`\0${path} ${String(content.length)}\0`).update(content);
  }
  return hash.digest('base64url');
}
