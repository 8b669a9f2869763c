import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '../platform/errors.ts';
import { processStart } from './process-start.ts';
import { scannerFault } from './scanner-fault.ts';

/** `image-cleaner-scan-<pid>-<start of that process>-<random>`: who made it, so that it can be told whether it is still in use. */
export const WORK_DIRECTORY_PREFIX = 'image-cleaner-scan-';

export interface WorkDirectory {
  readonly path: string;
  /** Removes the folder, whatever is in it. */
  remove(): Promise<void>;
}

/** Makes a new folder below `tmpDir` for one process. Throws a `ScannerFault` with `no-work-directory` if it cannot be made. */
export async function createWorkDirectory(tmpDir: string): Promise<WorkDirectory> {
  const path = await makeDirectory(tmpDir);
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}

/** As `createWorkDirectory`, for as long as it is used. */
export async function withWorkDirectory<Result>(tmpDir: string, use: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await createWorkDirectory(tmpDir);
  try {
    return await use(directory.path);
  } finally {
    await directory.remove();
  }
}

/** A page: on a filesystem without room folders can be made still. */
const SOME_BYTES = 4_096;

/** Throws a `ScannerFault` with `no-work-directory` where nothing can be written below `tmpDir`. */
export async function checkWorkPlace(tmpDir: string): Promise<void> {
  await withWorkDirectory(tmpDir, async (directory) => {
    try {
      await writeFile(join(directory, 'room'), Buffer.alloc(SOME_BYTES));
    } catch (cause) {
      throw scannerFault('no-work-directory', `Nothing can be written to ${tmpDir}: ${errorMessage(cause)}.`, cause);
    }
  });
}

async function makeDirectory(tmpDir: string): Promise<string> {
  // Where the start cannot be told, nobody sweeps the folder.
  const self = await processStart(process.pid);
  const owner = `${process.pid}-${self.kind === 'running' ? self.start : 'unknown'}`;
  try {
    await mkdir(tmpDir, { recursive: true });
    return await mkdtemp(join(tmpDir, `${WORK_DIRECTORY_PREFIX}${owner}-`));
  } catch (cause) {
    throw scannerFault('no-work-directory', `No folder for temporary files can be made in ${tmpDir}: ${errorMessage(cause)}.`, cause);
  }
}
