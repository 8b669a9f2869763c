import { createHash } from 'node:crypto';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { ClusterAccess } from './cluster-access.ts';

/** Under the idle limits of the load balancers that stand before API servers (the shortest in use is 60 s). */
const IDLE_MS = 30_000;
/** As client-go. Once the network is gone without a word, the kernel gives up some ten seconds after this. */
const TCP_KEEPALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Watches hold one each; what is over waits its turn. */
const MOST_CONNECTIONS = 64;

/**
 * The connections to an API server, kept while CA and client certificate stay the same. After a rotation new requests go over new
 * connections; what is under way on the old ones ends there.
 */
export class Agents {
  #current: { readonly key: string; readonly dispatcher: Dispatcher } | null = null;
  readonly #closing = new Set<Dispatcher>();

  dispatcherFor(access: ClusterAccess): Dispatcher {
    const key = keyOf(access);
    if (this.#current?.key === key) return this.#current.dispatcher;
    if (this.#current !== null) this.#retire(this.#current.dispatcher);
    this.#current = { key, dispatcher: connect(access) };
    return this.#current.dispatcher;
  }

  /** Ends all connections, and what is under way on them. */
  async close(): Promise<void> {
    const all = [...this.#closing, ...(this.#current === null ? [] : [this.#current.dispatcher])];
    this.#current = null;
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }

  #retire(dispatcher: Dispatcher): void {
    this.#closing.add(dispatcher);
    const done = (): void => void this.#closing.delete(dispatcher);
    dispatcher.close().then(done, done);
  }
}

/** A digest, so that no private key is kept as the key of a map. */
function keyOf({ tls, proxyUrl }: ClusterAccess): string {
  const parts = [tls.ca, tls.cert, tls.key, tls.servername, tls.rejectUnauthorized, proxyUrl];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

function connect({ tls, proxyUrl }: ClusterAccess): Dispatcher {
  const socket = { keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS, timeout: CONNECT_TIMEOUT_MS };
  const pool = {
    // Over HTTP/2 all watches would hang on one connection, and undici does not notice when that has died.
    allowH2: false,
    connections: MOST_CONNECTIONS,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
  };
  if (proxyUrl === undefined) return new Agent({ ...pool, connect: { ...tls, ...socket } });
  return new ProxyAgent({ ...pool, uri: proxyUrl, requestTls: { ...tls, ...socket }, connect: socket });
}
