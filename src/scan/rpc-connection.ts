import { Agent, request as httpRequest, type ClientRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';

export interface RpcAddress {
  /** Ends with a slash; without user and password. */
  readonly base: URL;
  /** The certificates of authorities, PEM, for https. */
  readonly ca: readonly string[];
  /** HTTP_PROXY and the like; null: the way is direct. */
  readonly proxies: Readonly<Record<string, string>> | null;
  readonly maxAnswerBytes: number;
  /** For a connection that is direct, to its handshake's end; 10 s unless given. */
  readonly connectTimeoutMs?: number;
}

export interface HttpCall {
  readonly method: 'GET' | 'POST';
  /** Below the base. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array | null;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The server has closed an idle connection in the moment in which it was used again. */
export class StaleConnection extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

const MOST_SOCKETS = 16;
/**
 * Packets to an address that nobody has any more are answered by nobody: the system would try for two minutes, also when the Service has long had another
 * address behind it.
 */
const CONNECT_TIMEOUT_MS = 10_000;

/** Connections to one server, which stay open. */
export class RpcConnection {
  readonly #address: RpcAddress;
  readonly #agent: Agent;

  /** Throws where the environment names a proxy that is none. */
  constructor(address: RpcAddress) {
    this.#address = address;
    const { base, proxies, ca } = address;
    const options = { keepAlive: true, maxSockets: MOST_SOCKETS, ...(proxies === null ? {} : { proxyEnv: proxies }) };
    this.#agent = base.protocol === 'https:' ? new HttpsAgent({ ...options, ca: [...ca] }) : new Agent(options);
  }

  /** One request, without repetition. Rejects when there is no whole answer. */
  async send({ method, path, headers, body }: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { base } = this.#address;
    const isSecure = base.protocol === 'https:';
    const sent = { ...headers, ...(body === null ? {} : { 'content-length': body.length }) };
    const options = { method, agent: this.#agent, headers: sent, signal };
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const request = (isSecure ? httpsRequest : httpRequest)(new URL(path, base), options);
    request.on('error', (cause: NodeJS.ErrnoException) => {
      reject(request.reusedSocket && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE') ? new StaleConnection(cause) : cause);
    });
    // One that another call leaves to this one is connected already, and not told to be reused either.
    request.once('socket', (socket) => {
      if (socket.connecting) this.#limitConnecting(request, socket, isSecure ? 'secureConnect' : 'connect');
    });
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (size > this.#address.maxAnswerBytes)
          request.destroy(new Error(`it answers with more than ${this.#address.maxAnswerBytes} bytes`));
      });
      response.on('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.end(body ?? undefined);
    return await promise;
  }

  /** Through a proxy there is more to a connection than its socket tells. */
  #limitConnecting(request: ClientRequest, socket: Socket, connected: 'connect' | 'secureConnect'): void {
    const { proxies, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#address;
    if (proxies !== null) return;
    const late = (): unknown => request.destroy(new Error(`no connection within ${connectTimeoutMs / 1_000} s`));
    const timer = setTimeout(late, connectTimeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      socket.off(connected, stop).off('close', stop);
    };
    socket.on(connected, stop).on('close', stop);
  }

  close(): void {
    this.#agent.destroy();
  }
}
