import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { checkBoltFile, type BoltFileCheck } from './bolt-file.ts';
import { scannerFault, type ScannerFault } from './scanner-fault.ts';

const metadataSchema = z.object({ Version: z.number(), UpdatedAt: z.iso.datetime({ offset: true }).optional() });
/** The only schema that Trivy reads since 0.23; an older database is another format. */
const SCHEMA_VERSION = 2;
/** Go's zero time: not set. */
const GO_ZERO_TIME = '0001-01-01T00:00:00Z';

/**
 * Checks the vulnerability database below Trivy's cache folder, and gives the time it was made (ISO 8601; null: it does not say). Trivy
 * itself notices no empty database (every image would count as clean) and a truncated one only when it comes to a missing page.
 */
export async function checkTrivyDatabase(cacheDir: string): Promise<string | null> {
  const metadata = await readMetadata(join(cacheDir, 'db', 'metadata.json'));
  const path = join(cacheDir, 'db', 'trivy.db');
  let check: BoltFileCheck;
  try {
    check = await checkBoltFile(path);
  } catch (cause) {
    throw databaseUnreadable(path, cause);
  }
  if (check.kind === 'damaged') throw scannerFault('bad-database', `The vulnerability database is damaged (${path}): ${check.problem}.`);
  if (check.buckets.get('vulnerability')?.isEmpty !== false)
    throw scannerFault('bad-database', `The vulnerability database holds no vulnerabilities (${path}).`);
  return metadata.UpdatedAt === undefined ? null : databaseTime(metadata.UpdatedAt);
}

/** One form for the time of one database, whether its file or a server tells it; null where it is not set. */
export function databaseTime(text: string): string | null {
  return text === GO_ZERO_TIME ? null : new Date(text).toISOString();
}

async function readMetadata(path: string): Promise<z.infer<typeof metadataSchema>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw databaseUnreadable(path, cause);
  }
  let metadata: z.infer<typeof metadataSchema>;
  try {
    metadata = metadataSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw scannerFault('bad-database', `The vulnerability database's metadata cannot be read (${path}).`, cause);
  }
  if (metadata.Version === SCHEMA_VERSION) return metadata;
  throw scannerFault(
    'bad-database',
    `The vulnerability database has schema ${metadata.Version}, and Trivy needs schema ${SCHEMA_VERSION} (${path}).`,
  );
}

export function databaseUnreadable(path: string, cause: unknown): ScannerFault {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return scannerFault('no-database', `There is no vulnerability database: ${path} does not exist.`, cause);
  return scannerFault('bad-database', `The vulnerability database cannot be read: ${message}.`, cause);
}
