import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedDirectory } from './cache-directory.ts';
import { LabError } from './lab-error.ts';
import { runCommand } from './run-command.ts';

/** How Debian calls this machine's kind in the names of folders and programs. */
export const MULTIARCH = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

/**
 * The folder in the cache (`debian-12`, `debian-12-shells`) with the content of the distribution's packages, unpacked, not installed. What each
 * says of itself (name, version) is in `DEBIAN/<name>`.
 */
export async function ensurePackages(
  suffix: string,
  wanted: readonly string[] | (() => Promise<readonly string[]>),
  onProgress: (line: string) => void,
): Promise<string> {
  const release = await debianRelease();
  return cachedDirectory(`${release}${suffix}`, async (making) => {
    const packages = typeof wanted === 'function' ? await wanted() : wanted;
    onProgress(`Fetching ${packages.join(', ')} from ${release}'s packages (not installed) ...`);
    await downloadPackages(packages, making);
    const archives = (await readdir(making)).filter((name) => name.endsWith('.deb'));
    await mkdir(join(making, 'DEBIAN'));
    for (const archive of archives) {
      const path = join(making, archive);
      await runCommand('dpkg-deb', ['-x', path, making]);
      await writeFile(join(making, 'DEBIAN', archive.slice(0, archive.indexOf('_'))), await runCommand('dpkg-deb', ['--field', path]));
      await rm(path);
    }
  });
}

/** Those are part of whatever runs here, and one of another build must not take their place. */
const AT_HAND = /^lib(c6|c-bin|gcc|stdc|crypt1|pam-modules)/;

/**
 * The package that this one stands for (`postgresql` is `postgresql-15` in Debian 12), and the libraries that it needs, with theirs. `notNeeded`: of
 * their names.
 */
export async function withLibraries(name: string, notNeeded: RegExp): Promise<readonly string[]> {
  const only = ['--no-recommends', '--no-suggests', '--no-conflicts', '--no-breaks', '--no-replaces', '--no-enhances'];
  const list = async (): Promise<string[]> => (await runCommand('apt-cache', ['depends', '--recurse', ...only, name])).split('\n');
  let lines = await list().catch(() => []);
  if (lines.length < 2) {
    await updateLists();
    lines = await list();
  }
  const standsFor = lines.map((line) => /^ +Depends: (\S+)$/.exec(line)?.[1]).find((found) => found?.startsWith(`${name}-`) === true);
  const libraries = lines.filter((line) => /^lib[a-z0-9.+-]+$/.test(line) && !AT_HAND.test(line) && !notNeeded.test(line));
  const installable = await Promise.all(libraries.map(async (library) => ((await isPackage(library)) ? [library] : [])));
  return [standsFor ?? name, ...installable.flat()];
}

/** Whether it can be downloaded: some names stand for what others provide. */
async function isPackage(name: string): Promise<boolean> {
  return /Candidate: \d/.test(await runCommand('apt-cache', ['policy', name]));
}

/** As `ensurePackages`, in the versions that apt has now: what is shipped is to have what was fixed since the folder was made. */
export async function ensureNewestPackages(
  suffix: string,
  packages: readonly string[],
  onProgress: (line: string) => void,
): Promise<string> {
  const list = async (): Promise<string> => await runCommand('apt-get', ['download', '--print-uris', ...packages]);
  const found = await list().catch(async () => {
    await updateLists();
    return await list();
  });
  const versions = createHash('sha256').update(found).digest('hex').slice(0, 12);
  return await ensurePackages(`${suffix}-${versions}`, packages, onProgress);
}

async function updateLists(): Promise<void> {
  await runCommand('apt-get', ['update', '--quiet']);
}

async function downloadPackages(packages: readonly string[], directory: string): Promise<void> {
  const download = ['download', '--quiet', ...packages];
  try {
    await runCommand('apt-get', download, { cwd: directory });
  } catch {
    // The package lists may be missing (as in a fresh container) or name versions that are gone.
    try {
      await updateLists();
      await runCommand('apt-get', download, { cwd: directory });
    } catch (cause) {
      const message = `The packages ${packages.join(', ')} can't be downloaded.`;
      throw new LabError({ code: 'tool-missing', message, hint: 'Is the machine online, and apt set up?', cause });
    }
  }
}

/** `debian-12`: a machine that is upgraded gets the new release's packages. */
async function debianRelease(): Promise<string> {
  const osRelease = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string): string => new RegExp(`^${key}="?([A-Za-z0-9._-]+)"?$`, 'm').exec(osRelease)?.[1] ?? 'unknown';
  return `${value('ID')}-${value('VERSION_ID')}`;
}
