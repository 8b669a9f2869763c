import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ensurePackages } from './debian-packages.ts';
import type { OnProgress } from './debian-tools.ts';
import { LabError } from './lab-error.ts';

/** Debian's systemd, to be run from the cache. */
export interface Systemd {
  readonly analyze: string;
  /** The daemon itself. */
  readonly manager: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Beside what every Debian has. */
const PACKAGES = ['systemd', 'libsystemd-shared', 'libapparmor1', 'libip4tc2', 'libkmod2', 'libseccomp2'];

export async function ensureSystemd(onProgress: OnProgress): Promise<Systemd> {
  const root = await ensurePackages('-systemd', PACKAGES, onProgress);
  const files = await readdir(root, { recursive: true });
  const find = (end: RegExp): string => {
    const found = files.find((path) => end.test(path));
    if (found !== undefined) return join(root, found);
    throw new LabError({ code: 'tool-missing', message: `${end.source} is not among what ${PACKAGES.join(', ')} contain (${root}).` });
  };
  const libraries = files.filter((path) => /\.so(\.\d+)*$/.test(path)).map((path) => join(root, dirname(path)));
  return {
    analyze: find(/bin\/systemd-analyze$/),
    manager: find(/lib\/systemd\/systemd$/),
    env: {
      PATH: '/usr/bin:/bin',
      LD_LIBRARY_PATH: [...new Set(libraries)].join(':'),
      SYSTEMD_UNIT_PATH: dirname(find(/lib\/systemd\/system\/basic\.target$/)),
    },
  };
}
