import type { ScannerInfo } from '../api/scan-report.ts';
import { checkTrivyDatabase } from './check-trivy-database.ts';
import { fatalMessageOf } from './classify-trivy-failure.ts';
import { readDatabaseIdentity, type DatabaseIdentity } from './database-identity.ts';
import { probeFault } from './probe-fault.ts';
import type { RpcClient } from './rpc-client.ts';
import { runTrivyWithin } from './run-trivy.ts';
import { scannerFault } from './scanner-fault.ts';
import { downloadDatabaseArguments, downloadEnvironment, downloadJavaDatabaseArguments } from './trivy-command.ts';
import { DEFAULT_DOWNLOAD_TIMEOUT_MS, type TrivyOptions } from './trivy-options.ts';
import type { ServerVersion } from './trivy-rpc.ts';
import { readTrivyVersion } from './trivy-version.ts';
import { isUpdateDue } from './update-due.ts';
import { connectToUserServer, probeUserServer } from './user-server.ts';

/** Which Trivy would judge, and by which database. */
export type TrivyProbe =
  | { readonly kind: 'own'; readonly info: ScannerInfo; readonly database: DatabaseIdentity }
  | {
      readonly kind: 'server';
      readonly info: ScannerInfo;
      readonly database: ServerVersion;
      readonly client: RpcClient;
    }
  | { readonly kind: 'elsewhere'; readonly info: ScannerInfo };

const MAX_DOWNLOAD_OUTPUT_BYTES = 1024 * 1024;

/**
 * Looks at the binary and the database, which is loaded first where that is due and allowed. Starts nothing where the version is remembered and
 * no update is due. Throws a `ScannerFault`.
 */
export async function probeTrivy(options: TrivyOptions, signal: AbortSignal): Promise<TrivyProbe> {
  signal.throwIfAborted();
  const { database: source, cacheDir } = options;
  if (source.kind === 'server') {
    const client = connectToUserServer(options, source);
    try {
      const version = await readTrivyVersion(options, signal);
      const database = await probeUserServer(client, signal);
      const { databaseUpdatedAt, databaseMark } = database;
      return { kind: 'server', info: { name: 'trivy', version, databaseUpdatedAt, databaseMark }, database, client };
    } catch (error) {
      client.close();
      throw error;
    }
  }
  const version = await readTrivyVersion(options, signal);
  if (source.kind === 'elsewhere')
    return { kind: 'elsewhere', info: { name: 'trivy', version, databaseUpdatedAt: null, databaseMark: null } };
  if (source.kind === 'download' && (await isUpdateDue(cacheDir, options.now()))) {
    const what = 'the download of the vulnerability database';
    await download(options, { args: downloadDatabaseArguments(cacheDir, source), what }, signal);
  }
  const database = await readDatabaseIdentity(cacheDir);
  const databaseUpdatedAt = await checkTrivyDatabase(cacheDir);
  if ((await readDatabaseIdentity(cacheDir)).mark !== database.mark)
    throw scannerFault('database-changed', `The vulnerability database in ${cacheDir} was changed while it was checked.`);
  return { kind: 'own', info: { name: 'trivy', version, databaseUpdatedAt, databaseMark: database.mark }, database };
}

/** The index of Java archives, which only images with such archives need. */
export async function downloadJavaIndex(
  options: TrivyOptions,
  repositories: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<void> {
  const args = downloadJavaDatabaseArguments(options.cacheDir, repositories);
  await download(options, { args, what: 'the download of the Java index' }, signal);
}

async function download(options: TrivyOptions, { args, what }: { args: string[]; what: string }, signal: AbortSignal): Promise<void> {
  const timeoutMs = options.downloadTimeoutMs ?? DEFAULT_DOWNLOAD_TIMEOUT_MS;
  const run = { args: () => args, env: downloadEnvironment, maxOutputBytes: MAX_DOWNLOAD_OUTPUT_BYTES, timeoutMs, what };
  const end = await runTrivyWithin(options, run, signal);
  if (end.kind === 'exited' && end.code === 0) return;
  if (end.kind !== 'exited') throw probeFault(end, what);
  throw scannerFault('download-failed', `Trivy failed in ${what}: ${fatalMessageOf(end.stderr)}`);
}
