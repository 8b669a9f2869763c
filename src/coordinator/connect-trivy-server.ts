import { Agent, request as startRequest } from 'node:http';
import type { TrivyServer, TrivyServerAnswer, TrivyServerCall } from './ports.ts';

export interface TrivyConnection extends TrivyServer {
  /** Ends all connections, and what is under way on them. */
  close(): void;
}

/** More calls than a server has processors for are of no use to anybody. */
const MOST_SOCKETS = 64;

/** A small answer is read whole: to pass it on as a stream takes twice as long. */
const WHOLE_BYTES = 64 * 1024;

/** `url`: of a Trivy server that only this pod reaches, on loopback, and that therefore takes calls without a token: `http://127.0.0.1:4954`. */
export function connectTrivyServer(url: string): TrivyConnection {
  const base = new URL(url.endsWith('/') ? url : `${url}/`);
  const agent = new Agent({ keepAlive: true, maxSockets: MOST_SOCKETS });
  return {
    pass: async (call, signal) => {
      const first = await passOnce({ base, agent }, call, signal);
      // The server may have closed an idle connection in the moment in which it was used. Each call may be repeated.
      return first === 'stale' ? asAnswer(await passOnce({ base, agent }, call, signal)) : first;
    },
    close: () => agent.destroy(),
  };
}

interface Way {
  readonly base: URL;
  readonly agent: Agent;
}

function passOnce(
  { base, agent }: Way,
  { method, path, body }: TrivyServerCall,
  signal: AbortSignal,
): Promise<TrivyServerAnswer | 'stale'> {
  const { promise, resolve, reject } = Promise.withResolvers<TrivyServerAnswer | 'stale'>();
  const headers = method === 'GET' ? {} : { 'content-type': 'application/protobuf', 'content-length': body.length };
  const request = startRequest(new URL(path, base), { method, agent, headers, signal });
  request.on('error', (error: NodeJS.ErrnoException) => {
    if (signal.aborted) reject(signal.reason);
    else if (request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) resolve('stale');
    else resolve({ kind: 'away', why: error.message });
  });
  request.once('response', (response) => {
    // One that breaks off before anybody reads it is told to whoever reads it.
    response.on('error', () => undefined);
    const { statusCode: status = 0, headers: said } = response;
    const type = said['content-type'] ?? 'application/octet-stream';
    const length = said['content-length'] === undefined ? null : Number(said['content-length']);
    if (length === null || length > WHOLE_BYTES) {
      resolve({ kind: 'answered', status, type, body: { stream: response, length } });
      return;
    }
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => void chunks.push(chunk));
    response.once('end', () => resolve({ kind: 'answered', status, type, body: Buffer.concat(chunks) }));
    response.once('close', () => (signal.aborted ? reject(signal.reason) : resolve({ kind: 'away', why: 'it broke off its answer' })));
  });
  request.end(body);
  return promise;
}

function asAnswer(answer: TrivyServerAnswer | 'stale'): TrivyServerAnswer {
  return answer === 'stale' ? { kind: 'away', why: 'it breaks off connections' } : answer;
}
