import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cachedDirectory } from './cache-directory.ts';
import { LabError } from './lab-error.ts';
import { runCommand } from './run-command.ts';

/** The folder in the cache (`debian-12`, `debian-12-shells`) with the content of the distribution's packages, unpacked, not installed. */
export async function ensurePackages(suffix: string, packages: readonly string[], onProgress: (line: string) => void): Promise<string> {
  const release = await debianRelease();
  return cachedDirectory(`${release}${suffix}`, async (making) => {
    onProgress(`Fetching ${packages.join(', ')} from ${release}'s packages (not installed) ...`);
    await downloadPackages(packages, making);
    const archives = (await readdir(making)).filter((name) => name.endsWith('.deb'));
    for (const archive of archives) await runCommand('dpkg-deb', ['-x', join(making, archive), making]);
    for (const archive of archives) await rm(join(making, archive));
  });
}

async function downloadPackages(packages: readonly string[], directory: string): Promise<void> {
  const download = ['download', '--quiet', ...packages];
  try {
    await runCommand('apt-get', download, { cwd: directory });
  } catch {
    // The package lists may be missing (as in a fresh container) or name versions that are gone.
    try {
      await runCommand('apt-get', ['update', '--quiet']);
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
