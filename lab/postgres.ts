import { once } from 'node:events';
import { appendFile, chmod, chown, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type QueryResult } from 'pg';
import { makeAuthority, issueCertificate, type Authority } from './certificates.ts';
import { requireRoot } from './lab-error.ts';
import { startProcess, untilReady, type LabProcess } from './lab-process.ts';
import { ownPlace, releasePlace, sweepAbandonedPlaces } from './owned-places.ts';
import { makePlace, type Place } from './place.ts';
import { childrenOf, isAlive, signalProcess, waitUntilStopped } from './processes.ts';
import { runCommand } from './run-command.ts';
import { ensurePostgres, type OnProgress, type PostgresTools } from './tools.ts';

/** A private PostgreSQL on the loopback address, with TLS for those who want it. */
export interface Postgres extends AsyncDisposable {
  readonly host: string;
  /** Another name of it, which is not in its certificate. */
  readonly otherHost: string;
  readonly port: number;
  /** The superuser. */
  readonly user: string;
  readonly password: string;
  /** Has signed its certificate, which is for `localhost` and 127.0.0.1. */
  readonly authority: Authority;
  readonly logFile: string;
  /** The rows of the last of the statements, as the superuser. */
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>;
  /** As its operator does: what is under way is broken off, what is written stays. */
  stop(): Promise<void>;
  /** Ends all its processes at once. */
  kill(): Promise<void>;
  /** On the same port and data. Does nothing when it runs. */
  start(): Promise<void>;
  /** Its processes stand still: connections are taken on by the kernel, and nothing is answered. */
  pause(): void;
  resume(): void;
}

/** `nobody`: PostgreSQL does not run as root. */
const USER_ID = '65534';
const AS_NOBODY = ['setpriv', `--reuid=${USER_ID}`, `--regid=${USER_ID}`, '--clear-groups', '--pdeathsig=KILL', '--'] as const;

const HOST = '127.0.0.1';
/** It listens there, too, and its certificate does not say so. */
const OTHER_HOST = '127.0.0.2';
const USER = 'postgres';
const PASSWORD = 'lab-password-of-postgres';

/** Makes a new database cluster and starts it. Needs root. */
export async function startPostgres(options: { readonly onProgress?: OnProgress } = {}): Promise<Postgres> {
  requireRoot('A private PostgreSQL', 'it gives it an unprivileged user of its own');
  const onProgress = options.onProgress ?? ((): void => undefined);
  const tools = await ensurePostgres(onProgress);
  sweepAbandonedPlaces(onProgress);
  const place = makePlace();
  ownPlace(place);
  try {
    return await startIn(place, tools);
  } catch (error) {
    releasePlace(place);
    throw error;
  }
}

async function startIn(place: Place, tools: PostgresTools): Promise<Postgres> {
  const programs = join(place.root, 'postgresql');
  // `nobody` may not look into root's home folder, where they are unpacked.
  await chmod(place.root, 0o711);
  await mkdir(programs);
  await runCommand('mount', ['-o', 'bind,ro', tools.directory, programs]);
  const binaries = join(programs, tools.binaries);
  const libraries = tools.libraries.map((folder) => join(programs, folder)).join(':');
  const env = { ...process.env, LD_LIBRARY_PATH: libraries, LC_ALL: 'C.UTF-8' };
  const [data, logFile] = [join(place.root, 'data'), join(place.root, 'log/postgres.log')];
  const authority = await makeAuthority(join(place.root, 'pki'));
  await makeData({ data, binaries, env, authority });
  const port = await freePort();
  let running: LabProcess | null = null;
  const isRunning = (): boolean => running?.isRunning === true;
  const start = async (): Promise<void> => {
    if (isRunning()) return;
    const [command, ...args] = AS_NOBODY;
    const started = await startProcess({
      name: 'postgres',
      logFile,
      command,
      args: [...args, join(binaries, 'postgres'), '-D', data, '-p', String(port), '-h', `${HOST},${OTHER_HOST}`],
      env,
    });
    running = started;
    await untilReady(started, async () => (await ask(port, 'SELECT 1', USER)).length === 1);
  };
  const all = (): number[] => (running === null || !isRunning() ? [] : [running.pid, ...childrenOf(running.pid)]);
  const resume = (): void => {
    for (const pid of all().reverse()) signalProcess(pid, 'SIGCONT');
  };
  const kill = async (): Promise<void> => {
    const pids = all();
    for (const pid of pids) signalProcess(pid, 'SIGKILL');
    await running?.kill();
    // A new one refuses to share the memory of one that is left.
    while (pids.some(isAlive)) await sleep(5);
  };
  await start();
  return {
    host: HOST,
    otherHost: OTHER_HOST,
    port,
    user: USER,
    password: PASSWORD,
    authority,
    logFile,
    query: (sql, database = USER) => ask(port, sql, database),
    start,
    kill,
    resume,
    stop: async () => {
      resume();
      // "Fast": without waiting for those who are connected.
      await running?.kill('SIGINT');
    },
    pause: () => {
      // The first of them first, which would start others.
      for (const pid of all()) {
        signalProcess(pid, 'SIGSTOP');
        waitUntilStopped(pid);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await kill();
      releasePlace(place);
    },
  };
}

interface NewData {
  readonly data: string;
  readonly binaries: string;
  readonly env: NodeJS.ProcessEnv;
  readonly authority: Authority;
}

async function makeData({ data, binaries, env, authority }: NewData): Promise<void> {
  await mkdir(data, { mode: 0o700 });
  await chown(data, Number(USER_ID), Number(USER_ID));
  const passwordFile = `${data}.password`;
  await writeFile(passwordFile, PASSWORD, { mode: 0o600 });
  await chown(passwordFile, Number(USER_ID), Number(USER_ID));
  const [command, ...args] = AS_NOBODY;
  const settings = [
    `--username=${USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-sync',
  ];
  await runCommand(command, [...args, join(binaries, 'initdb'), '-D', data, ...settings], { env });
  const server = await issueCertificate(authority, {
    name: 'postgres',
    subject: '/CN=postgres',
    alternativeNames: ['DNS:localhost', `IP:${HOST}`],
  });
  for (const [from, to] of [
    [server.certificate, 'server.crt'],
    [server.key, 'server.key'],
  ] as const) {
    await copyFile(from, join(data, to));
    await chown(join(data, to), Number(USER_ID), Number(USER_ID));
  }
  await appendFile(join(data, 'postgresql.conf'), SETTINGS);
}

const SETTINGS = `
unix_socket_directories = ''
ssl = on
jit = off
max_connections = 40
# On a machine of two cores, many of them restarted in the midst of their work.
shared_buffers = 32MB
`;

/** As the superuser, over a connection of its own. */
async function ask(port: number, sql: string, database: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ host: HOST, port, user: USER, password: PASSWORD, database, ssl: false, connectionTimeoutMillis: 5_000 });
  // What ends it is told by what was asked.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const answer = (await client.query(sql)) as QueryResult<Record<string, unknown>> | QueryResult<Record<string, unknown>>[];
    return (Array.isArray(answer) ? answer.at(-1) : answer)?.rows ?? [];
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, HOST), 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
