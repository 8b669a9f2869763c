import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { cacheDirectory } from '../../lab/cache-directory.ts';

const FILE = join(cacheDirectory(), 'lint-passed.json');
/** Of some twenty different trees. */
const MOST_KEYS = 30_000;

/** Keys of content in which a check has found nothing, the latest first; whichever tree it was in. */
export async function readKnownKeys(): Promise<ReadonlySet<string>> {
  try {
    return new Set(z.array(z.string()).parse(JSON.parse(await readFile(FILE, 'utf8'))));
  } catch {
    return new Set();
  }
}

export async function addKnownKeys(keys: readonly string[]): Promise<void> {
  const known = [...new Set([...keys, ...(await readKnownKeys())])].slice(0, MOST_KEYS);
  const staged = `${FILE}.${String(process.pid)}`;
  await mkdir(dirname(FILE), { recursive: true });
  await writeFile(staged, JSON.stringify(known));
  await rename(staged, FILE);
}
