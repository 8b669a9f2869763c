import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, request as startRequest } from 'node:https';
import type { Socket } from 'node:net';
import { errorMessage } from '../../platform/errors.ts';
import { AttemptTimeout, type HttpAnswer } from './classify-answer.ts';
import { CoordinatorError } from './coordinator-error.ts';

export interface ConnectionOptions {
  readonly tokenFile: string;
  /** The certificates of the coordinator's authorities, PEM. Nobody else's are trusted. */
  readonly caFile: string;
  readonly connectTimeoutMs: number;
}

export interface Attempt {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  /** null: none. */
  readonly body: Buffer | null;
  /** Of the body. */
  readonly type: string;
  readonly token: string;
  readonly timeLimitMs: number;
  readonly maxAnswerBytes: number;
}

/** Parallel calls of one container. */
const MOST_SOCKETS = 8;

/** Connections to the coordinator, kept for as long as the CA bundle stays the same. */
export class CoordinatorConnection {
  readonly #options: ConnectionOptions;
  readonly #agents = new Map<string, Agent>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** As the file has it now: the kubelet writes a new one before the old one expires. */
  async readToken(): Promise<string> {
    return (await read(this.#options.tokenFile)).trim();
  }

  /** One request, without repetition. Rejects when there is no whole answer. */
  async send(attempt: Attempt, signal: AbortSignal): Promise<HttpAnswer> {
    const agent = this.#agentFor(await read(this.#options.caFile));
    signal.throwIfAborted();
    // Nothing stays on the caller's signal afterwards: it lives as long as the process.
    const ended = new AbortController();
    const onAbort = (): void => ended.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(
      () => ended.abort(new AttemptTimeout(`no answer within ${attempt.timeLimitMs / 1000} s`)),
      attempt.timeLimitMs,
    );
    try {
      return await this.#request(agent, attempt, ended);
    } catch (error) {
      throw ended.signal.aborted ? ended.signal.reason : error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  close(): void {
    this.#agents.forEach((agent) => agent.destroy());
    this.#agents.clear();
  }

  /** During a rotation the bundle changes twice or so; what is under way over the connections before ends there. */
  #agentFor(ca: string): Agent {
    const known = this.#agents.get(ca);
    if (known !== undefined) return known;
    const agent = new Agent({ keepAlive: true, maxSockets: MOST_SOCKETS, ca, minVersion: 'TLSv1.3', rejectUnauthorized: true });
    this.#agents.set(ca, agent);
    return agent;
  }

  #request(agent: Agent, { method, url, body, type, token, maxAnswerBytes }: Attempt, ended: AbortController): Promise<HttpAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      // The coordinator looks at the rest before it asks for the body: a call that it refuses costs neither side much.
      ...(body === null ? {} : { 'content-type': type, 'content-length': body.length, expect: '100-continue' }),
    };
    const request = startRequest(url, { method, agent, headers, signal: ended.signal });
    request.on('error', reject);
    request.once('socket', (socket) => {
      // One that another call leaves to this one is connected already, and not told to be reused either.
      if (socket.connecting) this.#limitConnecting(socket, ended);
    });
    request.once('response', (response) => void readAnswer(response, maxAnswerBytes).then(resolve, reject));
    if (body === null) request.end();
    else {
      request.once('continue', () => request.end(body));
      request.flushHeaders();
    }
    return promise;
  }

  #limitConnecting(socket: Socket, ended: AbortController): void {
    const { connectTimeoutMs } = this.#options;
    const timer = setTimeout(() => ended.abort(new AttemptTimeout(`no connection within ${connectTimeoutMs / 1000} s`)), connectTimeoutMs);
    const stop = (): void => {
      clearTimeout(timer);
      socket.off('secureConnect', stop).off('close', stop);
    };
    socket.on('secureConnect', stop).on('close', stop);
  }
}

async function readAnswer(response: IncomingMessage, maxBytes: number): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes)
      throw new CoordinatorError({ code: 'bad-answer', message: `the coordinator answers with more than ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const hint = 'It is mounted into worker pods by the controller.';
    throw new CoordinatorError({ code: 'no-credentials', message: `${file} cannot be read: ${errorMessage(error)}`, hint, cause: error });
  }
}
