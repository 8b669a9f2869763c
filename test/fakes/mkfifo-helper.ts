import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildMkfifo } from '../../scripts/build-mkfifo.ts';

/** The worker's own helper, built for a file of tests. */
export interface MkfifoHelper {
  readonly path: string;
  remove(): Promise<void>;
}

export async function buildMkfifoHelper(): Promise<MkfifoHelper> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-mkfifo-'));
  const path = join(folder, 'mkfifo');
  if (!(await buildMkfifo(path))) throw new Error('the helper that makes pipes cannot be built: there is no Go on PATH');
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}
