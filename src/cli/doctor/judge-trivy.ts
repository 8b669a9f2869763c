import { formatDuration } from '../../platform/duration.ts';
import { formatBytes } from '../../platform/quantity.ts';
import type { Attempt } from './attempt.ts';
import { ok, problem, skipped, warning, type Finding } from './check.ts';

export interface TrivyFacts {
  /** As named: `trivy`. */
  readonly binary: string;
  /** Where it was found; null: nowhere. */
  readonly path: string | null;
  /** null: not asked. */
  readonly version: Attempt<string> | null;
  /** null: unknown. */
  readonly runtimeName: string | null;
}

/** The oldest version whose answers and failures are known. */
const OLDEST: readonly [number, number] = [0, 74];
/** A database of this age misses what became known since. */
const OLD_MS = 7 * 86_400_000;

export function judgeTrivy({ binary, path, version, runtimeName }: TrivyFacts): Finding {
  const instead = 'Or remove without a scan: --scanner none, --image.';
  if (path === null || version === null) {
    const where = binary.includes('/') ? `There is no program ${binary}` : `There is no ${binary} in PATH`;
    return problem(where, `Install Trivy ${OLDEST.join('.')} or later, or name it with --trivy. ${instead}`);
  }
  if (!version.ok) return problem(`${path}: ${version.message}`, version.hint);
  const found = `Trivy ${version.value} at ${path}`;
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version.value) ?? [];
  if (major === undefined || minor === undefined) {
    return warning(`${found}, whose version cannot be compared`, `Use a release, ${OLDEST.join('.')} or later.`);
  }
  if (Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1])) {
    return problem(`${found}, which is too old`, `Install Trivy ${OLDEST.join('.')} or later. ${instead}`);
  }
  if (runtimeName !== null && runtimeName !== 'containerd') {
    return warning(`${found}; it cannot read the images of ${runtimeName}, which stay without a verdict`, instead);
  }
  return ok(found);
}

export interface ServerFacts {
  readonly contact: Attempt<{
    readonly url: string;
    readonly version: string;
    /** When its database was made; null: it does not tell. */
    readonly databaseUpdatedAt: string | null;
  }>;
  readonly now: number;
}

export function judgeServer({ contact, now }: ServerFacts): Finding {
  if (!contact.ok) return problem(contact.message, contact.hint);
  const { url, version, databaseUpdatedAt } = contact.value;
  const found = `Trivy ${version} answers at ${url} and takes the token`;
  if (databaseUpdatedAt === null)
    return warning(`${found}; it does not tell by which database it judges`, 'Look into the log of the server.');
  const dated = `${found}; its database was made ${databaseUpdatedAt}`;
  const ageMs = now - Date.parse(databaseUpdatedAt);
  if (ageMs > OLD_MS) return warning(`${dated}, ${formatDuration(wholeDays(ageMs))} ago`, 'Have the server load a newer one.');
  return ok(dated);
}

export interface DatabaseFacts {
  readonly path: string;
  /** The time it was made; null: it does not say. */
  readonly updatedAt: Attempt<string | null>;
  readonly nextUpdate: string | null;
  readonly sizeBytes: number | null;
  readonly downloads: boolean;
  readonly now: number;
}

/** null: a server's database judges. */
export function judgeDatabase(facts: DatabaseFacts | null): Finding {
  if (facts === null) return skipped("The Trivy server's database judges (--trivy-server)");
  const { path, updatedAt, nextUpdate, sizeBytes, downloads, now } = facts;
  if (!updatedAt.ok) {
    // A run would begin by downloading it.
    const comes = updatedAt.code === 'no-database' && downloads;
    return comes
      ? warning(updatedAt.message, 'The next run downloads it (some 100 MB), if it can reach the registry.')
      : problem(updatedAt.message, updatedAt.hint);
  }
  const found = `Whole, schema 2, ${sizeBytes === null ? 'of unknown size' : formatBytes(sizeBytes)}, at ${path}`;
  const advice = downloads
    ? 'The next run downloads a newer one, if it can reach the registry.'
    : 'Put a newer one there, or allow the download.';
  if (updatedAt.value === null) return warning(`${found}; it does not say how old it is`, advice);
  const ageMs = now - Date.parse(updatedAt.value);
  const dated = `${found}, made ${updatedAt.value}`;
  if (ageMs > OLD_MS) return warning(`${dated}, ${formatDuration(wholeDays(ageMs))} ago`, advice);
  if (nextUpdate !== null && Date.parse(nextUpdate) < now) return warning(`${dated}; a newer one is out since ${nextUpdate}`, advice);
  return ok(dated);
}

function wholeDays(ms: number): number {
  return Math.floor(ms / 86_400_000) * 86_400_000;
}

export function judgeJavaIndex({ path, isPresent, downloads }: { path: string; isPresent: boolean; downloads: boolean }): Finding {
  if (isPresent) return ok(`At ${path}`);
  if (downloads) return ok('None yet; the first image with Java archives downloads it (some 700 MB)');
  return ok(`None at ${path}: images with Java archives stay without a verdict`);
}
