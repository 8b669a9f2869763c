import { cp, mkdtemp, readdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What no copy needs; the packages are linked to. */
const NOT_COPIED = ['.git', 'node_modules', 'dist', 'coverage'];

/** Gives the folder of a copy of the project, in which anything may be changed while others work with the original. */
export async function copyTree(root: string): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'image-cleaner-tree-'));
  const parts = (await readdir(root)).filter((name) => !NOT_COPIED.includes(name));
  for (const part of parts) await cp(join(root, part), join(tree, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}
