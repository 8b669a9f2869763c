import { existsSync } from 'node:fs';
import { readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensurePackages } from './debian-packages.ts';
import type { OnProgress } from './debian-tools.ts';
import { LabError } from './lab-error.ts';

/** Debian's zsh and fish, to be run from the cache. */
export interface Shells {
  /** Holds `bin/zsh` and its modules and functions below `usr`. */
  readonly zshRoot: string;
  readonly zshModules: string;
  readonly fish: { readonly path: string; readonly env: Readonly<Record<string, string>> };
}

const PACKAGES = ['zsh', 'zsh-common', 'fish', 'fish-common', 'libpcre2-32-0'];

export async function ensureShells(onProgress: OnProgress): Promise<Shells> {
  const root = await ensurePackages('-shells', PACKAGES, onProgress);
  const files = await readdir(root, { recursive: true });
  const folderOf = (end: string): string => {
    const found = files.find((path) => path.endsWith(end));
    if (found !== undefined) return join(root, dirname(found));
    throw new LabError({ code: 'tool-missing', message: `${end} is not among what ${PACKAGES.join(', ')} contain (${root}).` });
  };
  // fish takes its own functions, rather than those of an installed one, when it finds etc beside its bin.
  const etc = join(root, 'usr', 'etc');
  if (!existsSync(etc)) await symlink('../etc', etc).catch(() => undefined);
  return {
    zshRoot: root,
    zshModules: join(folderOf('/zsh/complete.so'), '..'),
    fish: { path: join(root, 'usr/bin/fish'), env: { LD_LIBRARY_PATH: folderOf('/libpcre2-32.so.0') } },
  };
}
