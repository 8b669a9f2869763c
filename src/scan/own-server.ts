import { randomBytes } from 'node:crypto';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScannerInfo } from '../api/scan-report.ts';
import { errorMessage } from '../platform/errors.ts';
import { isBoltPanic, namesBadAdvisories } from './classify-trivy-failure.ts';
import { readDatabaseIdentity, type DatabaseIdentity } from './database-identity.ts';
import type { JudgingServer } from './judging-server.ts';
import { readListeningPort } from './listening-port.ts';
import { probeFault } from './probe-fault.ts';
import { RpcClient } from './rpc-client.ts';
import { ScannerFault, scannerFault } from './scanner-fault.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { serverArguments, serverEnvironment } from './trivy-command.ts';
import {
  DEFAULT_GRACE_MS,
  DEFAULT_MAX_REPORT_BYTES,
  DEFAULT_PROBE_TIMEOUT_MS,
  DEFAULT_RPC_TIMEOUT_MS,
  type TrivyOptions,
} from './trivy-options.ts';
import { readServerVersion, selfTestServer } from './trivy-rpc.ts';
import { checkSameVersion } from './trivy-version.ts';
import { createWorkDirectory } from './work-directory.ts';

const START = 'the start of its server';
/** How often it is looked whether the server listens by now, in ms; it takes a tenth of a second. */
const POLL_MS = 10;
/** How long it is waited for the end of a server that breaks a connection off, in ms. */
const LAST_WORDS_MS = 1_000;
/** How often it is looked whether the server can still judge, in ms. */
const WATCH_MS = 1_000;

/** What the probe found. */
export interface ProbedTrivy {
  readonly info: ScannerInfo;
  readonly database: DatabaseIdentity;
}

/**
 * Starts a Trivy server on 127.0.0.1 for this run alone: a token of its own, nothing stored on the disk, the database in the cache folder (the
 * one that was probed, and the version that was, or this throws). It works when this resolves: it has judged a package.
 */
export async function startOwnServer(options: TrivyOptions, probed: ProbedTrivy, signal: AbortSignal): Promise<JudgingServer> {
  const { info, database } = probed;
  await checkSameDatabase(options, database);
  const directory = await createWorkDirectory(options.tmpDir);
  const opened: { process?: ServerProcess; client?: RpcClient; watch?: NodeJS.Timeout } = {};
  const close = async (): Promise<void> => {
    clearInterval(opened.watch);
    opened.client?.close();
    await opened.process?.stop();
    await directory.remove();
  };
  try {
    const cacheDir = await linkDatabase(directory.path, database);
    const token = randomBytes(32).toString('base64url');
    const process = await startServerProcess({
      file: options.binary,
      args: serverArguments(cacheDir),
      cwd: directory.path,
      env: serverEnvironment(options, directory.path, token),
      graceMs: options.graceMs ?? DEFAULT_GRACE_MS,
    });
    opened.process = process;
    const deadline = startDeadline(options);
    const broken = new AbortController();
    const client = createClient(options, { token, port: await waitForPort(process, deadline, signal), broken: broken.signal });
    opened.client = client;
    opened.watch = watch({ options, database, process, broken });
    const server = createOwnServer({ options, database, process, client, close });
    const version = await proveWorking({ server, client }, deadline, signal);
    await checkSameVersion(options, info.version, { version, where: START });
    return server;
  } catch (error) {
    await close();
    throw error;
  }
}

/** Links, so that a Trivy that removes a database that it cannot read removes a link. */
async function linkDatabase(workDir: string, { database, metadata }: DatabaseIdentity): Promise<string> {
  const cacheDir = join(workDir, 'cache');
  try {
    await mkdir(join(cacheDir, 'db'), { recursive: true });
    await symlink(database, join(cacheDir, 'db', 'trivy.db'));
    await symlink(metadata, join(cacheDir, 'db', 'metadata.json'));
    return cacheDir;
  } catch (cause) {
    throw scannerFault('no-work-directory', `Nothing can be written to ${workDir}: ${errorMessage(cause)}.`, cause);
  }
}

interface Deadline {
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** Half the time of a probe: where a scan is given no more than a probe, a server that hangs is told from an image that takes long. */
function startDeadline({ probeTimeoutMs = DEFAULT_PROBE_TIMEOUT_MS }: TrivyOptions): Deadline {
  return { ms: probeTimeoutMs / 2, signal: AbortSignal.timeout(probeTimeoutMs / 2) };
}

function startTimeout({ ms }: Deadline, cause?: unknown): ScannerFault {
  return scannerFault('timeout', `Trivy did not finish ${START} within ${ms / 1_000} s and was ended.`, cause);
}

async function waitForPort(server: ServerProcess, deadline: Deadline, signal: AbortSignal): Promise<number> {
  for (;;) {
    signal.throwIfAborted();
    if (server.end() !== null) throw await endFault(server, START);
    if (deadline.signal.aborted) throw startTimeout(deadline);
    const port = await readListeningPort(server.pid);
    if (port !== null) return port;
    await sleep(POLL_MS);
  }
}

interface Contact {
  readonly token: string;
  readonly port: number;
  readonly broken: AbortSignal;
}

function createClient(options: TrivyOptions, { token, port, broken }: Contact): RpcClient {
  return new RpcClient({
    base: new URL(`http://127.0.0.1:${port}/`),
    token,
    tokenHeader: 'Trivy-Token',
    ca: [],
    proxies: null,
    timeoutMs: options.rpcTimeoutMs ?? DEFAULT_RPC_TIMEOUT_MS,
    maxAnswerBytes: options.maxReportBytes ?? DEFAULT_MAX_REPORT_BYTES,
    broken,
  });
}

interface Started {
  readonly server: JudgingServer;
  readonly client: RpcClient;
}

/** Gives its version. */
async function proveWorking({ server, client }: Started, deadline: Deadline, signal: AbortSignal): Promise<string> {
  const both = AbortSignal.any([signal, deadline.signal]);
  let version: string;
  try {
    await selfTestServer(client, both);
    version = (await readServerVersion(client, both)).version;
  } catch (error) {
    signal.throwIfAborted();
    if (deadline.signal.aborted) throw startTimeout(deadline, error);
    throw await server.explain(error);
  }
  // It has opened the database by now, and cannot have opened another one.
  await server.checkDatabase(signal);
  return version;
}

interface Watched {
  readonly options: TrivyOptions;
  readonly database: DatabaseIdentity;
  readonly process: ServerProcess;
  readonly broken: AbortController;
}

/**
 * Fails all calls as soon as the server cannot judge any more. A server that panics in its database may hold a lock of it for good: whatever is
 * asked afterwards has no answer.
 */
function watch({ options, database, process, broken }: Watched): NodeJS.Timeout {
  const look = async (): Promise<void> => {
    try {
      await checkSameDatabase(options, database);
      if (isBoltPanic(process.stderr())) broken.abort(damagedDatabase('it panicked'));
    } catch (fault) {
      broken.abort(fault);
    }
  };
  return setInterval(() => void look(), WATCH_MS).unref();
}

interface OwnServerParts {
  readonly options: TrivyOptions;
  readonly database: DatabaseIdentity;
  readonly process: ServerProcess;
  readonly client: RpcClient;
  readonly close: () => Promise<void>;
}

function createOwnServer({ options, database, process, client, close }: OwnServerParts): JudgingServer {
  const checkDatabase = (): Promise<void> => checkSameDatabase(options, database);
  const databaseFault = async (message: string): Promise<ScannerFault | null> => {
    // That the database was changed under it explains whatever it does.
    const changed = await checkDatabase().then(
      () => null,
      (error: unknown) => error,
    );
    if (changed instanceof ScannerFault) return changed;
    const fault = damagedDatabase(message);
    if (namesBadAdvisories(message)) return fault;
    if (!message.includes('panic')) return null;
    // Of a panic the answer says only that it was one; the rest follows on standard error.
    const patience = AbortSignal.timeout(LAST_WORDS_MS);
    while (!process.stderr().includes('goroutine ') && process.end() === null && !patience.aborted) await sleep(POLL_MS);
    return isBoltPanic(process.stderr()) ? fault : null;
  };
  return {
    client,
    isOurs: true,
    isAlive: () => process.end() === null,
    checkDatabase,
    databaseFault,
    async explain(error) {
      if (!(error instanceof ScannerFault)) return error;
      const damage = await databaseFault(error.message);
      if (damage !== null) return damage;
      if (error.code === 'server-unreachable') await Promise.race([process.ended, sleep(LAST_WORDS_MS)]);
      return process.end() === null ? error : await endFault(process, 'judging images');
    },
    close,
  };
}

function damagedDatabase(message: string): ScannerFault {
  return scannerFault('bad-database', `The vulnerability database is damaged; Trivy failed as it read it: ${message.slice(0, 500)}`);
}

async function checkSameDatabase({ cacheDir }: TrivyOptions, database: DatabaseIdentity): Promise<void> {
  if ((await readDatabaseIdentity(cacheDir)).mark === database.mark) return;
  throw scannerFault('database-changed', `The vulnerability database in ${cacheDir} is another one since it was checked.`);
}

/** What the end of a server means that was not asked to end. */
async function endFault(server: ServerProcess, what: string): Promise<ScannerFault> {
  await server.ended;
  const end = server.end();
  const stderr = server.stderr();
  if (end?.kind === 'killed') return probeFault({ kind: 'killed', signal: end.signal, stderr }, what);
  return probeFault({ kind: 'exited', code: end?.code ?? -1, stdout: Buffer.alloc(0), stderr }, what);
}
