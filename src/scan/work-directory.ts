import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../platform/errors.ts';
import { processStart } from './process-start.ts';
import { scannerFault } from './scanner-fault.ts';

/** `image-cleaner-scan-<pid>-<start of that process>-<random>`: who made it, so that it can be told whether it is still in use. */
export const WORK_DIRECTORY_PREFIX = 'image-cleaner-scan-';

/**
 * Makes a new folder below `tmpDir` for one process and removes it, whatever is in it, afterwards. Throws a `ScannerFault` with
 * `no-work-directory` if it cannot be made.
 */
export async function withWorkDirectory<Result>(tmpDir: string, use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await makeDirectory(tmpDir);
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function makeDirectory(tmpDir: string): Promise<string> {
  // Where the start cannot be told, nobody sweeps the folder.
  const owner = `${process.pid}-${(await processStart(process.pid)) ?? 'unknown'}`;
  try {
    await mkdir(tmpDir, { recursive: true });
    return await mkdtemp(join(tmpDir, `${WORK_DIRECTORY_PREFIX}${owner}-`));
  } catch (cause) {
    throw scannerFault('no-work-directory', `No folder for temporary files can be made in ${tmpDir}: ${errorMessage(cause)}.`, cause);
  }
}
