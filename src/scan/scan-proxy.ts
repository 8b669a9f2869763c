import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { refusal, type CallAnswer, type CallHandler } from './call-answer.ts';
import { scannerFault } from './scanner-fault.ts';

/**
 * Stands between Trivy and its server, on 127.0.0.1: Trivy as a client sends what it reads out of an image here. Each scan has an address of
 * its own, so that each request is known to be about its image. Only who has the token of this process is heard. It does not keep this process
 * from ending.
 */
export class ScanProxy {
  readonly token = randomBytes(32).toString('base64url');
  readonly #server: Server;
  readonly #maxRequestBytes: number;
  readonly #handlers = new Map<string, CallHandler>();
  #scans = 0;

  private constructor(maxRequestBytes: number) {
    this.#maxRequestBytes = maxRequestBytes;
    this.#server = createServer((request, response) => void this.#serve(request, response));
    // Trivy keeps a connection open while it reads a layer; it must not be closed just as it is used again.
    this.#server.keepAliveTimeout = 0;
  }

  static async start(maxRequestBytes: number): Promise<ScanProxy> {
    const proxy = new ScanProxy(maxRequestBytes);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', (cause) => {
        reject(scannerFault('start-failed', `No port on 127.0.0.1 can be listened on: ${cause.message}.`, cause));
      });
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    proxy.#server.unref();
    return proxy;
  }

  /** The address at which Trivy finds this handler, until it is closed. */
  open(handler: CallHandler): { readonly url: string; readonly close: () => void } {
    this.#scans += 1;
    const id = String(this.#scans);
    this.#handlers.set(id, handler);
    const { port } = this.#server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/scan/${id}/`, close: () => this.#handlers.delete(id) };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A Trivy that is killed breaks off its connections; what it has asked for is then of no use.
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const [, id, path] = /^\/scan\/(\d+)\/+(.*)$/.exec(request.url ?? '') ?? [];
    const handler = id === undefined ? undefined : this.#handlers.get(id);
    let answer: CallAnswer;
    if (!this.#isOurs(request)) answer = refusal(401, 'unauthenticated', 'invalid token');
    else if (handler === undefined || path === undefined) answer = refusal(404, 'bad_route', 'no such scan');
    // Trivy asks for the server's version only to print it.
    else if (path === 'version') answer = { status: 200, type: 'application/json', body: Buffer.from('{}') };
    else {
      const body = await this.#readBody(request);
      answer = body === null ? refusal(413, 'malformed', 'the request is too large') : await handler.answer(path, body, gone.signal);
    }
    response.writeHead(answer.status, { 'content-type': answer.type, 'content-length': answer.body.length }).end(answer.body);
  }

  #isOurs({ headers }: IncomingMessage): boolean {
    const given = Buffer.from(String(headers['trivy-token'] ?? ''));
    const expected = Buffer.from(this.token);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  /** null: broken off, or too large. */
  async #readBody(request: IncomingMessage): Promise<Buffer | null> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > this.#maxRequestBytes) return null;
        chunks.push(chunk);
      }
    } catch {
      return null;
    }
    return Buffer.concat(chunks);
  }
}
