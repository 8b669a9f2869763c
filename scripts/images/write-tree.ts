import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Files } from '../../lab/build-image.ts';

/** Writes the files of a layer below the folder, as they will be below the image's root. */
export async function writeTree(folder: string, files: Files): Promise<void> {
  for (const [path, file] of Object.entries(files)) {
    const target = join(folder, path);
    await mkdir(path.endsWith('/') ? target : dirname(target), { recursive: true });
    if (typeof file === 'object' && 'link' in file) {
      await symlink(file.link, target);
      continue;
    }
    const { content, mode } = typeof file === 'object' && 'mode' in file ? file : { content: file, mode: 0o644 };
    if (!path.endsWith('/')) await writeFile(target, content);
    // Whatever this process's mask takes away.
    await chmod(target, mode);
  }
}
