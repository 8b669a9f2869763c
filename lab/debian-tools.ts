import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ensurePackages, MULTIARCH, withLibraries } from './debian-packages.ts';
import { LabError } from './lab-error.ts';

/** The distribution's container runtime, as paths of binaries. */
export interface DistributionTools {
  readonly containerd: string;
  readonly ctr: string;
  readonly runc: string;
  /** Statically linked: the whole content of the images that run. */
  readonly busybox: string;
}

export type OnProgress = (line: string) => void;

const PACKAGES = ['containerd', 'runc', 'busybox-static'];
const FOLDERS = ['usr/bin', 'usr/sbin', 'bin', 'sbin'];

/**
 * Debian's (or Ubuntu's) containerd, runc and static busybox, unpacked into the cache: installing them would start a service and touch
 * the machine's own runtime. Without apt, those on PATH.
 */
export async function ensureDistributionTools(onProgress: OnProgress): Promise<DistributionTools> {
  if (onPath('apt-get') === null || onPath('dpkg-deb') === null) return toolsOnPath();
  const directory = await ensurePackages('', PACKAGES, onProgress);
  const binary = (name: string): string => {
    const found = FOLDERS.map((folder) => join(directory, folder, name)).find((path) => existsSync(path));
    if (found !== undefined) return found;
    throw new LabError({ code: 'tool-missing', message: `${name} is not among what ${PACKAGES.join(', ')} contain (${directory}).` });
  };
  return { containerd: binary('containerd'), ctr: binary('ctr'), runc: binary('runc'), busybox: binary('busybox') };
}

/** libfaketime, to be preloaded into a process that is to see another clock than the machine's. */
export async function ensureFakeClock(onProgress: OnProgress): Promise<string> {
  if (onPath('apt-get') === null || onPath('dpkg-deb') === null) {
    throw new LabError({ code: 'tool-missing', message: 'libfaketime is to be had from apt only.' });
  }
  const directory = await ensurePackages('-clock', ['libfaketime'], onProgress);
  const library = (await readdir(directory, { recursive: true })).find((path) => path.endsWith('/libfaketimeMT.so.1'));
  if (library !== undefined) return join(directory, library);
  throw new LabError({ code: 'tool-missing', message: `libfaketimeMT.so.1 is not among what libfaketime contains (${directory}).` });
}

/** PostgreSQL's server, as it is unpacked. */
export interface PostgresTools {
  readonly directory: string;
  /** With `postgres` and `initdb`; below the directory, as are the libraries. */
  readonly binaries: string;
  /** For `LD_LIBRARY_PATH`. */
  readonly libraries: readonly string[];
}

/** Perl is for Debian's own scripts, LLVM for what compiles queries. */
const NOT_NEEDED_OF_POSTGRES = /^lib(perl|llvm|z3|file-find|number-|text-glob|json-|debian-installer|newt|slang|textwrap)|-perl$/;

/** Debian's (or Ubuntu's) PostgreSQL, unpacked into the cache: installing it would make a database and start it. */
export async function ensurePostgres(onProgress: OnProgress): Promise<PostgresTools> {
  if (onPath('apt-get') === null || onPath('dpkg-deb') === null) {
    throw new LabError({ code: 'tool-missing', message: 'PostgreSQL is to be had from apt only.' });
  }
  const directory = await ensurePackages('-postgres', () => withLibraries('postgresql', NOT_NEEDED_OF_POSTGRES), onProgress);
  const versions = await readdir(join(directory, 'usr/lib/postgresql')).catch(() => []);
  const folders = versions.map((version) => join('usr/lib/postgresql', version, 'bin'));
  const binaries = folders.find((folder) => existsSync(join(directory, folder, 'initdb')));
  if (binaries === undefined)
    throw new LabError({ code: 'tool-missing', message: `initdb is not among what postgresql contains (${directory}).` });
  return { directory, binaries, libraries: [`usr/lib/${MULTIARCH}`, `lib/${MULTIARCH}`] };
}

/** The first executable of that name on PATH; null when there is none. */
export function onPath(name: string, path: string = process.env['PATH'] ?? ''): string | null {
  // sbin: runc lives there, and a plain user's PATH, kept by sudo, may lack it.
  const folders = [...path.split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? null;
}

function toolsOnPath(): DistributionTools {
  const binary = (names: readonly string[]): string => {
    const found = names.map((name) => onPath(name)).find((path) => path !== null);
    if (found !== undefined) return found;
    throw new LabError({
      code: 'tool-missing',
      message: `${names[0] ?? ''} is neither on PATH nor to be had from apt.`,
      hint: 'Install containerd, runc and a statically linked busybox with your package manager.',
    });
  };
  return {
    containerd: binary(['containerd']),
    ctr: binary(['ctr']),
    runc: binary(['runc']),
    busybox: binary(['busybox.static', 'busybox-static', 'busybox']),
  };
}
