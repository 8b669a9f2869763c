import { access, constants, readFile, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import * as z from 'zod';
import { checkTrivyDatabase } from '../../scan/check-trivy-database.ts';
import { readTrivyVersion } from '../../scan/trivy-version.ts';
import { connectToUserServer, probeUserServer } from '../../scan/user-server.ts';
import { defaultCacheDir } from '../bind-scanner.ts';
import type { CliContext } from '../context.ts';
import type { ScannerOptions } from '../parsed-options.ts';
import { readTrivyServer } from '../read-trivy-server.ts';
import { attempt } from './attempt.ts';
import type { DatabaseFacts, ServerFacts, TrivyFacts } from './judge-trivy.ts';

/** Trivy answers in a tenth of a second. */
const VERSION_TIMEOUT_MS = 10_000;
/** A server that loads a database answers when it has it; one that takes longer than this is none to rely on. */
const SERVER_TIMEOUT_MS = 10_000;

/** Throws only the reason of the signal. */
export async function readTrivy(context: CliContext, options: ScannerOptions, runtimeName: string | null): Promise<TrivyFacts> {
  const { trivy: binary } = options;
  const path = await findProgram(binary, context.env['PATH'] ?? '');
  if (path === null) return { binary, path, version: null, runtimeName };
  const version = await attempt(context.signal, () =>
    readTrivyVersion(
      {
        binary: path,
        images: { kind: 'other', runtimeName: runtimeName ?? '' },
        database: { kind: 'as-is' },
        cacheDir: cacheDir(context, options),
        tmpDir: resolve(context.machine.temporaryDirectory),
        memoryLimitBytes: null,
        env: context.env,
        now: context.now,
        probeTimeoutMs: VERSION_TIMEOUT_MS,
      },
      context.signal,
    ),
  );
  return { binary, path, version, runtimeName };
}

/** Calls the server as a scan does: its address, certificate and token. null: none is named. Throws only the reason of the signal. */
export async function readServer(context: CliContext, options: ScannerOptions): Promise<ServerFacts | null> {
  const { signal, env, now } = context;
  const { trivyServer: url } = options;
  if (url === undefined) return null;
  const contact = await attempt(signal, async () => {
    const source = await readTrivyServer(context, options);
    if (source === null) throw new Error('no server is named');
    const client = connectToUserServer({ env, rpcTimeoutMs: SERVER_TIMEOUT_MS }, source);
    try {
      return { url: client.server.base.href, ...(await probeUserServer(client, signal)) };
    } finally {
      client.close();
    }
  });
  return { contact, now: now() };
}

/** As a shell finds it; null: nowhere. */
async function findProgram(name: string, path: string): Promise<string | null> {
  const candidates = name.includes('/') ? [resolve(name)] : path.split(delimiter).map((folder) => resolve(folder, name));
  for (const candidate of candidates) {
    const isProgram = await access(candidate, constants.X_OK)
      .then(async () => (await stat(candidate)).isFile())
      .catch(() => false);
    if (isProgram) return candidate;
  }
  return null;
}

function cacheDir(context: CliContext, { trivyCacheDir }: ScannerOptions): string {
  return resolve(trivyCacheDir ?? defaultCacheDir(context));
}

const metadataSchema = z.object({ NextUpdate: z.iso.datetime({ offset: true }) });

/** null: a server's database judges. */
export async function readDatabase(context: CliContext, options: ScannerOptions): Promise<DatabaseFacts | null> {
  if (options.trivyServer !== undefined) return null;
  const folder = cacheDir(context, options);
  const path = join(folder, 'db', 'trivy.db');
  const updatedAt = await attempt(context.signal, () => checkTrivyDatabase(folder));
  const metadata = metadataSchema.safeParse(await readJson(join(folder, 'db', 'metadata.json'))).data;
  return {
    path,
    updatedAt,
    nextUpdate: metadata?.NextUpdate ?? null,
    sizeBytes: await stat(path).then(
      ({ size }) => size,
      () => null,
    ),
    downloads: !options.skipDbUpdate,
    now: context.now(),
  };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return null;
  }
}

export async function readJavaIndex(
  context: CliContext,
  options: ScannerOptions,
): Promise<{ path: string; isPresent: boolean; downloads: boolean }> {
  const path = join(cacheDir(context, options), 'java-db', 'trivy-java.db');
  const isPresent = await stat(path).then(
    (file) => file.isFile(),
    () => false,
  );
  return { path, isPresent, downloads: !options.skipDbUpdate };
}
