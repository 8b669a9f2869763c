import { randomUUID } from 'node:crypto';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Less than this is none: SQLite makes its files larger by pieces of up to 64 KiB. */
const SCANT_BYTES = 256 * 1024;

/** Whether the filesystem of a file has no bytes or no inodes left, or its quota is used up; false where that cannot be told. */
export function hasNoSpace(path: string): boolean {
  const folder = dirname(path);
  try {
    const { bavail, bsize, files, ffree } = statfsSync(folder);
    // Some filesystems count no inodes.
    if (bavail * bsize < SCANT_BYTES || (files > 0 && ffree === 0)) return true;
  } catch {
    return false;
  }
  return failsForSpace(join(folder, `.image-cleaner-${randomUUID()}`));
}

/** A quota shows only when something is written. */
function failsForSpace(probe: string): boolean {
  try {
    writeFileSync(probe, Buffer.alloc(SCANT_BYTES), { flag: 'wx', mode: 0o600, flush: true });
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
  } finally {
    removeQuietly(probe);
  }
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A folder that takes no file has none to remove.
  }
}
