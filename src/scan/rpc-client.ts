import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import * as z from 'zod';
import { callFault } from './rpc-fault.ts';
import { scannerFault } from './scanner-fault.ts';

export interface RpcServer {
  /** Ends with a slash; without user and password. */
  readonly base: URL;
  readonly token: string;
  readonly tokenHeader: string;
  /** The certificates of authorities, PEM, for https. */
  readonly ca: readonly string[];
  /** HTTP_PROXY and the like; null: the way is direct. */
  readonly proxies: Readonly<Record<string, string>> | null;
  /** For one answer. */
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  /** Once it aborts every call fails with its reason, those that wait too; null: nothing is known of the server but its answers. */
  readonly broken: AbortSignal | null;
}

export type RpcAnswer =
  | { readonly kind: 'answered'; readonly body: Buffer }
  /** The server works, and refuses this one call (an error of Twirp's, which is JSON). */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly message: string; readonly body: Buffer };

const twirpErrorSchema = z.object({ code: z.string(), msg: z.string() });

interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface HttpCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | null;
}

/** Calls to one Trivy server over connections that stay open. All faults name the server's address, and never the token. */
export class RpcClient {
  readonly server: RpcServer;
  readonly #agent: Agent;

  constructor(server: RpcServer) {
    this.server = server;
    const options = { keepAlive: true, maxSockets: 16, ...(server.proxies === null ? {} : { proxyEnv: server.proxies }) };
    this.#agent = server.base.protocol === 'https:' ? new HttpsAgent({ ...options, ca: [...server.ca] }) : new Agent(options);
  }

  /** One call of Twirp's. Throws a `ScannerFault` where no Trivy server gives an orderly answer. */
  async call(path: string, body: Uint8Array, signal: AbortSignal): Promise<RpcAnswer> {
    const { token, tokenHeader, base } = this.server;
    const headers = { 'content-type': 'application/protobuf', ...(token === '' ? {} : { [tokenHeader]: token }) };
    const answer = await this.#request({ method: 'POST', path, headers, body }, signal);
    const type = answer.headers['content-type'] ?? '';
    if (answer.status === 200 && type.startsWith('application/protobuf')) return { kind: 'answered', body: answer.body };
    const error = type.startsWith('application/json') ? parseTwirpError(answer.body) : null;
    if (error?.code === 'unauthenticated' || error?.code === 'permission_denied' || answer.status === 401 || answer.status === 403) {
      throw scannerFault('server-refused', `The Trivy server at ${base.href} refuses the token (HTTP status ${answer.status}).`);
    }
    if (error === null || error.code === 'bad_route') throw this.#unexpected(answer);
    return { kind: 'refused', status: answer.status, code: error.code, message: error.msg, body: answer.body };
  }

  /** A page that needs no token. */
  async get(path: string, signal: AbortSignal): Promise<Buffer> {
    const answer = await this.#request({ method: 'GET', path, headers: {}, body: null }, signal);
    if (answer.status !== 200) throw this.#unexpected(answer);
    return answer.body;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #request(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { base, timeoutMs, broken } = this.server;
    const timeout = AbortSignal.timeout(timeoutMs);
    const any = AbortSignal.any([signal, timeout, ...(broken === null ? [] : [broken])]);
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        return await this.#requestOnce(call, any);
      } catch (error) {
        signal.throwIfAborted();
        broken?.throwIfAborted();
        if (timeout.aborted)
          throw scannerFault('timeout', `The Trivy server at ${base.href} did not answer within ${timeoutMs / 1_000} s.`, error);
        // The server may close an idle connection in the moment in which it is used. Each call may be repeated.
        if (error instanceof StaleConnection && !isRepeated) continue;
        throw callFault(base, error instanceof StaleConnection ? error.cause : error);
      }
    }
  }

  #requestOnce({ method, path, headers, body }: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { base, maxAnswerBytes } = this.server;
    return new Promise((resolve, reject) => {
      const start = base.protocol === 'https:' ? httpsRequest : httpRequest;
      const length = body === null ? {} : { 'content-length': body.length };
      const request = start(new URL(path, base), { method, agent: this.#agent, headers: { ...headers, ...length }, signal });
      request.once('error', (cause: NodeJS.ErrnoException) => {
        reject(request.reusedSocket && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE') ? new StaleConnection(cause) : cause);
      });
      request.once('response', (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          size += chunk.length;
          chunks.push(chunk);
          if (size > maxAnswerBytes) request.destroy(new Error(`it answers with more than ${maxAnswerBytes} bytes`));
        });
        response.once('error', reject);
        response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
      });
      request.end(body ?? undefined);
    });
  }

  #unexpected({ status, headers }: HttpAnswer): Error {
    const { href } = this.server.base;
    if (status >= 500) return scannerFault('server-failed', `The Trivy server at ${href} fails (HTTP status ${status}).`);
    const redirects = status >= 300 && status < 400;
    const how = redirects
      ? `redirects to another address (HTTP status ${status})`
      : `answers with HTTP status ${status} and ${headers['content-type'] ?? 'no type of content'}`;
    return scannerFault('server-bad-answer', `What is at ${href} is no Trivy server: it ${how}.`);
  }
}

class StaleConnection extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function parseTwirpError(body: Buffer): z.infer<typeof twirpErrorSchema> | null {
  try {
    return twirpErrorSchema.safeParse(JSON.parse(body.toString())).data ?? null;
  } catch {
    return null;
  }
}
