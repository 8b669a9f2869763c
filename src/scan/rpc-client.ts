import * as z from 'zod';
import { RpcConnection, StaleConnection, type HttpAnswer, type HttpCall, type RpcAddress } from './rpc-connection.ts';
import { callFault } from './rpc-fault.ts';
import { scannerFault, type ScannerFault } from './scanner-fault.ts';

export interface RpcServer extends RpcAddress {
  /** What tells it from other servers in reports; its address if not given. */
  readonly name?: string;
  /** Empty: there is none. */
  readonly token: string;
  readonly tokenHeader: string;
  /** For one answer. */
  readonly timeoutMs: number;
  /** Once it aborts every call fails with its reason; null: nothing is known of the server but its answers. */
  readonly broken: AbortSignal | null;
}

export type RpcAnswer =
  | { readonly kind: 'answered'; readonly body: Buffer }
  /** The server works, and refuses this one call (an error of Twirp's, which is JSON). */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly message: string; readonly body: Buffer };

const PROTOBUF = 'application/protobuf';

const twirpErrorSchema = z.object({ code: z.string(), msg: z.string() });

/** What a Trivy client asks of its server. */
export interface RpcCalls {
  readonly server: Pick<RpcServer, 'base'>;
  /** One call of Twirp's. Throws a `ScannerFault` where no Trivy server gives an orderly answer. */
  call(path: string, body: Uint8Array, signal: AbortSignal): Promise<RpcAnswer>;
}

/** Calls to one Trivy server over connections that stay open. All faults name the server's address, and never the token. */
export class RpcClient implements RpcCalls {
  readonly server: RpcServer;
  readonly #connection: RpcConnection;

  /** Throws where the environment names a proxy that is none. */
  constructor(server: RpcServer) {
    this.server = server;
    this.#connection = new RpcConnection(server);
  }

  async call(path: string, body: Uint8Array, signal: AbortSignal): Promise<RpcAnswer> {
    return this.#readAnswer(await this.#request({ method: 'POST', path, headers: { 'content-type': PROTOBUF }, body }, signal));
  }

  #readAnswer(answer: HttpAnswer): RpcAnswer {
    const type = answer.headers['content-type'] ?? '';
    if (answer.status === 200 && type.startsWith(PROTOBUF)) return { kind: 'answered', body: answer.body };
    const error = type.startsWith('application/json') ? parseTwirpError(answer.body) : null;
    if (error?.code === 'unauthenticated' || error?.code === 'permission_denied' || isDenied(answer)) throw this.#denied(answer);
    if (error === null || error.code === 'bad_route') throw this.#unexpected(answer);
    return { kind: 'refused', status: answer.status, code: error.code, message: error.msg, body: answer.body };
  }

  async get(path: string, signal: AbortSignal): Promise<Buffer> {
    const answer = await this.#request({ method: 'GET', path, headers: {}, body: null }, signal);
    if (answer.status === 200) return answer.body;
    throw this.#unexpected(answer);
  }

  close(): void {
    this.#connection.close();
  }

  async #request(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { base, timeoutMs, broken, token, tokenHeader } = this.server;
    const timeout = AbortSignal.timeout(timeoutMs);
    const any = AbortSignal.any([signal, timeout, ...(broken === null ? [] : [broken])]);
    const headers = token === '' ? call.headers : { ...call.headers, [tokenHeader]: token };
    try {
      return await this.#sendAnew({ ...call, headers }, any);
    } catch (error) {
      signal.throwIfAborted();
      broken?.throwIfAborted();
      const noAnswer = `The Trivy server at ${base.href} did not answer within ${timeoutMs / 1_000} s.`;
      throw timeout.aborted ? scannerFault('timeout', noAnswer, error) : callFault(base, error);
    }
  }

  /** The server may close an idle connection in the moment in which it is used. Each call may be repeated. */
  async #sendAnew(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    try {
      return await this.#connection.send(call, signal);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
    }
    return this.#connection.send(call, signal).catch((error: unknown) => {
      throw error instanceof StaleConnection ? error.cause : error;
    });
  }

  #denied({ status }: HttpAnswer): ScannerFault {
    return scannerFault('server-refused', `The Trivy server at ${this.server.base.href} refuses the token (HTTP status ${status}).`);
  }

  #unexpected({ status, headers }: HttpAnswer): ScannerFault {
    const { href } = this.server.base;
    if (status >= 500) return scannerFault('server-failed', `The Trivy server at ${href} fails (HTTP status ${status}).`);
    const redirects = status >= 300 && status < 400;
    const type = headers['content-type'] ?? 'no type of content';
    const how = redirects ? `redirects to another address (HTTP status ${status})` : `answers with HTTP status ${status} and ${type}`;
    return scannerFault('server-bad-answer', `What is at ${href} is no Trivy server: it ${how}.`);
  }
}

function isDenied({ status }: HttpAnswer): boolean {
  return status === 401 || status === 403;
}

function parseTwirpError(body: Buffer): z.infer<typeof twirpErrorSchema> | null {
  try {
    return twirpErrorSchema.safeParse(JSON.parse(body.toString())).data ?? null;
  } catch {
    return null;
  }
}
