import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the `package.json` in the folder says. */
export async function readVersion(folder: string): Promise<string> {
  return (JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}
