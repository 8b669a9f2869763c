import * as z from 'zod';
import { backoffMs, type Timing } from '../platform/timing.ts';
import { RpcConnection, StaleConnection, type HttpAnswer, type HttpCall, type RpcAddress } from './rpc-connection.ts';
import { callFault } from './rpc-fault.ts';
import { readProblem } from './rpc-problem.ts';
import { scannerFault, type ScannerFault } from './scanner-fault.ts';

export interface RpcServer extends Omit<RpcAddress, 'asksForLargeBodies'> {
  /** What tells it from other servers in reports; its address if not given. */
  readonly name?: string;
  /** Asked at each call; empty: there is none. */
  readonly token: () => Promise<string>;
  readonly tokenHeader: string;
  /** For one answer. */
  readonly timeoutMs: number;
  /** Once it aborts every call fails with its reason, those that wait too; null: nothing is known of the server but its answers. */
  readonly broken: AbortSignal | null;
  /** How long a server that is away is asked again and again; null: not at all. */
  readonly patience: { readonly ms: number; readonly timing: Timing } | null;
}

export type RpcAnswer =
  | { readonly kind: 'answered'; readonly body: Buffer }
  /** The server works, and refuses this one call (an error of Twirp's, which is JSON). */
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly message: string; readonly body: Buffer };

const PROTOBUF = 'application/protobuf';

export interface Post {
  readonly path: string;
  /** Of the body. The answer is in protobuf all the same. */
  readonly type: string;
  readonly body: Uint8Array;
}

type Headers = HttpAnswer['headers'];

const twirpErrorSchema = z.object({ code: z.string(), msg: z.string() });

type Attempt =
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  /** The same may be answered later. */
  | { readonly kind: 'away'; readonly fault: ScannerFault; readonly pauseMs: number };

const BACKOFF = { firstMs: 200, longestMs: 5_000 };
/** What may pass by itself: a certificate is vouched for once the bundle with its authority has arrived. */
const PASSING: ReadonlySet<string> = new Set(['server-unreachable', 'server-certificate', 'timeout']);

/** Calls to one Trivy server over connections that stay open. All faults name the server's address, and never the token. */
export class RpcClient {
  readonly server: RpcServer;
  readonly #connection: RpcConnection;

  /** Throws where the environment names a proxy that is none. */
  constructor(server: RpcServer) {
    this.server = server;
    this.#connection = new RpcConnection({ ...server, asksForLargeBodies: server.patience !== null });
  }

  /** One call of Twirp's. Throws a `ScannerFault` where no Trivy server gives an orderly answer. */
  async call(path: string, body: Uint8Array, signal: AbortSignal): Promise<RpcAnswer> {
    return (await this.post({ path, type: PROTOBUF, body }, signal)).answer;
  }

  /** The same, and the headers of the answer. */
  async post({ path, type: sent, body }: Post, signal: AbortSignal): Promise<{ readonly answer: RpcAnswer; readonly headers: Headers }> {
    const answer = await this.#request({ method: 'POST', path, headers: { 'content-type': sent }, body }, signal);
    return { answer: this.#readAnswer(answer), headers: answer.headers };
  }

  #readAnswer(answer: HttpAnswer): RpcAnswer {
    const type = answer.headers['content-type'] ?? '';
    if (answer.status === 200 && type.startsWith(PROTOBUF)) return { kind: 'answered', body: answer.body };
    const problem = readProblem(answer);
    if (problem?.status === 413) return refusedAsTooLarge(problem.detail);
    const error = type.startsWith('application/json') ? parseTwirpError(answer.body) : null;
    if (error?.code === 'unauthenticated' || error?.code === 'permission_denied' || isDenied(answer)) throw this.#denied(answer);
    if (error === null || error.code === 'bad_route') throw this.#unexpected(answer);
    return { kind: 'refused', status: answer.status, code: error.code, message: error.msg, body: answer.body };
  }

  async get(path: string, signal: AbortSignal): Promise<Buffer> {
    const answer = await this.#request({ method: 'GET', path, headers: {}, body: null }, signal);
    if (answer.status === 200) return answer.body;
    throw isDenied(answer) && readProblem(answer) !== null ? this.#denied(answer) : this.#unexpected(answer);
  }

  close(): void {
    this.#connection.close();
  }

  async #request(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { patience } = this.server;
    const until = patience === null ? 0 : patience.timing.now() + patience.ms;
    for (let failures = 0; ; failures += 1) {
      const attempt = await this.#attempt(call, signal);
      if (attempt.kind === 'answer') return attempt.answer;
      if (patience === null) throw attempt.fault;
      const { timing } = patience;
      const pauseMs = attempt.pauseMs + backoffMs(BACKOFF, failures, timing.random());
      if (timing.now() + pauseMs > until) throw attempt.fault;
      await timing.sleep(pauseMs, signal);
    }
  }

  async #attempt(call: HttpCall, signal: AbortSignal): Promise<Attempt> {
    const { base, timeoutMs, broken, token, tokenHeader } = this.server;
    const timeout = AbortSignal.timeout(timeoutMs);
    const any = AbortSignal.any([signal, timeout, ...(broken === null ? [] : [broken])]);
    const sentToken = await token();
    const headers = sentToken === '' ? call.headers : { ...call.headers, [tokenHeader]: sentToken };
    try {
      const answer = await this.#sendAnew({ ...call, headers }, any);
      const problem = readProblem(answer);
      const isStale = isDenied(answer) && (await token()) !== sentToken;
      if (!isStale && (problem === null || problem.retryAfterMs === null)) return { kind: 'answer', answer };
      const fault = scannerFault(
        'server-failed',
        `The Trivy server at ${base.href} cannot be asked now: ${problem?.detail ?? 'its token'}`,
      );
      return { kind: 'away', fault, pauseMs: problem?.retryAfterMs ?? 0 };
    } catch (error) {
      signal.throwIfAborted();
      broken?.throwIfAborted();
      const noAnswer = `The Trivy server at ${base.href} did not answer within ${timeoutMs / 1_000} s.`;
      const fault = timeout.aborted ? scannerFault('timeout', noAnswer, error) : callFault(base, error);
      if (PASSING.has(fault.code)) return { kind: 'away', fault, pauseMs: 0 };
      throw fault;
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

  #denied(answer: HttpAnswer): ScannerFault {
    const why = readProblem(answer)?.detail;
    const what = why === undefined ? 'the token' : 'the call';
    const detail = why === undefined ? `HTTP status ${answer.status}` : why;
    return scannerFault('server-refused', `The Trivy server at ${this.server.base.href} refuses ${what} (${detail}).`);
  }

  #unexpected(answer: HttpAnswer): ScannerFault {
    const { status, headers } = answer;
    const { href } = this.server.base;
    if (status >= 500) return scannerFault('server-failed', `The Trivy server at ${href} fails (HTTP status ${status}).`);
    const redirects = status >= 300 && status < 400;
    const type = headers['content-type'] ?? 'no type of content';
    const how = redirects ? `redirects to another address (HTTP status ${status})` : `answers with HTTP status ${status} and ${type}`;
    const why = readProblem(answer)?.detail;
    return scannerFault('server-bad-answer', `What is at ${href} is no Trivy server: it ${how}${why === undefined ? '' : `: ${why}`}.`);
  }
}

function isDenied({ status }: HttpAnswer): boolean {
  return status === 401 || status === 403;
}

/** In Twirp's form, for Trivy: something is wrong with what it has read out of one image. */
function refusedAsTooLarge(message: string): RpcAnswer {
  const code = 'malformed';
  return { kind: 'refused', status: 413, code, message, body: Buffer.from(JSON.stringify({ code, msg: message })) };
}

function parseTwirpError(body: Buffer): z.infer<typeof twirpErrorSchema> | null {
  try {
    return twirpErrorSchema.safeParse(JSON.parse(body.toString())).data ?? null;
  } catch {
    return null;
  }
}
