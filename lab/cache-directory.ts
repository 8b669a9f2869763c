import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { withMachineLock } from './machine-lock.ts';

/** Where the real parts are kept between runs: `IMAGE_CLEANER_CACHE`, else `image-cleaner` in the user's cache directory. */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['IMAGE_CLEANER_CACHE'] ?? '';
  if (own !== '') return own;
  const shared = env['XDG_CACHE_HOME'] ?? '';
  return join(shared === '' ? join(homedir(), '.cache') : shared, 'image-cleaner');
}

/**
 * The cached directory of that name, made by `fill` when it isn't there yet. `fill` works in a directory beside it that takes the name only
 * when it is complete; of several processes that want the same one makes it and the others wait.
 */
export async function cachedDirectory(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const cache = cacheDirectory();
  const target = join(cache, name);
  if (existsSync(target)) return target;
  await mkdir(cache, { recursive: true });
  await withMachineLock(target, async () => {
    if (existsSync(target)) return;
    const prefix = `${name}.making-`;
    const abandoned = (await readdir(cache)).filter((entry) => entry.startsWith(prefix));
    for (const entry of abandoned) await rm(join(cache, entry), { recursive: true, force: true });
    const making = await mkdtemp(join(cache, prefix));
    try {
      await fill(making);
      await rename(making, target);
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  });
  return target;
}
