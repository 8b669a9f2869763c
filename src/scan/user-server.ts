import { getCACertificates } from 'node:tls';
import { namesBadAdvisories } from './classify-trivy-failure.ts';
import type { JudgingServer } from './judging-server.ts';
import { RpcClient } from './rpc-client.ts';
import { scannerFault } from './scanner-fault.ts';
import { DEFAULT_MAX_REPORT_BYTES, DEFAULT_RPC_TIMEOUT_MS, type TrivyOptions, type TrivyServerSource } from './trivy-options.ts';
import { readMissingBlobs, readServerVersion, type ServerVersion } from './trivy-rpc.ts';

const DEFAULT_TOKEN_HEADER = 'Trivy-Token';

type ConnectionOptions = Pick<TrivyOptions, 'env' | 'rpcTimeoutMs' | 'maxReportBytes'>;

/** Throws a `ScannerFault` with `server-address`. */
export function connectToUserServer(options: ConnectionOptions, source: TrivyServerSource): RpcClient {
  const base = parseAddress(source.url);
  const server = {
    base,
    name: source.name ?? base.href,
    token: source.token ?? '',
    tokenHeader: source.tokenHeader ?? DEFAULT_TOKEN_HEADER,
    ca: base.protocol === 'https:' ? authorities(source) : [],
    proxies: isLoopback(base) ? null : proxiesOf(options.env),
    timeoutMs: options.rpcTimeoutMs ?? DEFAULT_RPC_TIMEOUT_MS,
    maxAnswerBytes: options.maxReportBytes ?? DEFAULT_MAX_REPORT_BYTES,
    broken: null,
  };
  try {
    return new RpcClient(server);
  } catch (cause) {
    throw scannerFault('server-address', 'The environment names a proxy (HTTP_PROXY, HTTPS_PROXY) that is none.', cause);
  }
}

/** As Trivy itself takes proxies: never to this machine. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function proxiesOf(env: TrivyOptions['env']): Record<string, string> | null {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
  const given = names.flatMap((name) => (env[name] === undefined || env[name] === '' ? [] : [[name, env[name]] as const]));
  return given.length === 0 ? null : Object.fromEntries(given);
}

/** Whether the server answers and takes the token, and by which database it judges. Throws a `ScannerFault`. */
export async function probeUserServer(client: RpcClient, signal: AbortSignal): Promise<ServerVersion> {
  const version = await readServerVersion(client, signal);
  // Anyone may ask a Trivy server for the version.
  await readMissingBlobs(client, [], signal);
  return version;
}

/** `database`: as the probe found it. */
export function createUserServer(client: RpcClient, database: ServerVersion): JudgingServer {
  return {
    client,
    isOurs: false,
    isAlive: () => true,
    // A server that loads a database takes no calls until it has it, and by then says so: what it answered before it was asked, it judged by
    // the database that it names now.
    async checkDatabase(signal) {
      const { databaseUpdatedAt } = await readServerVersion(client, signal);
      if (databaseUpdatedAt === database.databaseUpdatedAt) return;
      const { href } = client.server.base;
      throw scannerFault('database-changed', `The Trivy server at ${href} has loaded another vulnerability database meanwhile.`);
    },
    explain: (error) => Promise.resolve(error),
    databaseFault(message) {
      const fault = `The Trivy server at ${client.server.base.href} cannot read its vulnerability database: ${message.slice(0, 500)}`;
      return Promise.resolve(namesBadAdvisories(message) ? scannerFault('server-failed', fault) : null);
    },
    close() {
      client.close();
      return Promise.resolve();
    },
  };
}

function parseAddress(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw scannerFault('server-address', 'The address of the Trivy server is no URL that begins with http:// or https://.');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw scannerFault(
      'server-address',
      `The address of the Trivy server at ${url.origin} has more than host, port and path: a user, a password, a query or a fragment.`,
    );
  return new URL(url.pathname.endsWith('/') ? url : `${url.href}/`);
}

/** The user's alone where they are given; else all that this machine and Node trust. */
function authorities({ ca }: TrivyServerSource): string[] {
  return ca === undefined ? [...getCACertificates('default'), ...getCACertificates('system')] : [ca];
}
