import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../platform/errors.ts';
import { scannerFault } from './scanner-fault.ts';

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
  try {
    await mkdir(tmpDir, { recursive: true });
    return await mkdtemp(join(tmpDir, 'scan-'));
  } catch (cause) {
    throw scannerFault('no-work-directory', `No folder for temporary files can be made in ${tmpDir}: ${errorMessage(cause)}.`, cause);
  }
}
