import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { databaseUnreadable } from './check-trivy-database.ts';

/** The database's files as they were at one moment. */
export interface DatabaseIdentity {
  /** The path of `trivy.db`, without links. */
  readonly database: string;
  /** That of `metadata.json`. */
  readonly metadata: string;
  /**
   * Filesystem, inode, size, and times of the last writing and of the last change of any kind of each: another database has other ones, and so
   * has one that was written to. The last time cannot be set, unlike the one before, which a copy or an archive brings along.
   */
  readonly mark: string;
}

/** Throws a `ScannerFault` where there is no database. */
export async function readDatabaseIdentity(cacheDir: string): Promise<DatabaseIdentity> {
  const database = await identify(join(cacheDir, 'db', 'trivy.db'));
  const metadata = await identify(join(cacheDir, 'db', 'metadata.json'));
  return { database: database.path, metadata: metadata.path, mark: `${database.mark} ${metadata.mark}` };
}

async function identify(path: string): Promise<{ path: string; mark: string }> {
  try {
    const target = await realpath(path);
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(target, { bigint: true });
    return { path: target, mark: [dev, ino, size, mtimeNs, ctimeNs].join(':') };
  } catch (cause) {
    throw databaseUnreadable(path, cause);
  }
}
