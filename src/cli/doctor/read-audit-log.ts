import { constants } from 'node:fs';
import { access, lstat, open, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { verifyAuditLog } from '../../store/audit-chain.ts';
import { attempt, type Attempt } from './attempt.ts';
import type { AuditLogFacts } from './judge-audit-log.ts';

/** Some hundred megabytes. */
const VERIFY_TIMEOUT_MS = 10_000;

/** Makes and changes nothing. Throws only the reason of the signal. */
export function readAuditLog(given: string, signal: AbortSignal): Promise<Attempt<AuditLogFacts>> {
  const path = resolve(given);
  return attempt(signal, async () => {
    const isThere = await requireWritable(path);
    const { bavail, bsize } = await statfs(dirname(path));
    return { verification: isThere ? await verify(path, signal) : null, availableBytes: bavail * bsize };
  });
}

/** Whether a run could open it, as the audit log does; false: it would be made. */
async function requireWritable(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => null);
  if (stats === null) {
    await access(dirname(path), constants.W_OK);
    return false;
  }
  if (!stats.isFile()) throw new Error(`it is ${stats.isSymbolicLink() ? 'a link' : stats.isDirectory() ? 'a folder' : 'no regular file'}`);
  const file = await open(path, constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  await file.close();
  return true;
}

async function verify(path: string, signal: AbortSignal): Promise<AuditLogFacts['verification']> {
  const timeout = AbortSignal.timeout(VERIFY_TIMEOUT_MS);
  try {
    return await verifyAuditLog(path, AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) return 'timed-out';
    throw error;
  }
}
