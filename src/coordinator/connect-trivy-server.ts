import { Agent, errors, request } from 'undici';
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
  // How long a call may take is its caller's business.
  const agent = new Agent({ connections: MOST_SOCKETS, headersTimeout: 0, bodyTimeout: 0 });
  return {
    pass: async (call, signal) => {
      try {
        // The server may have closed an idle connection in the moment in which it was used. Each call may be repeated.
        return await passOnce({ base, agent }, call, signal).catch((error: unknown) => {
          if (signal.aborted || !isStale(error)) throw error;
          return passOnce({ base, agent }, call, signal);
        });
      } catch (error) {
        signal.throwIfAborted();
        return { kind: 'away', why: isStale(error) ? 'it breaks off connections' : (error as Error).message };
      }
    },
    close: () => void agent.destroy(),
  };
}

interface Way {
  readonly base: URL;
  readonly agent: Agent;
}

async function passOnce({ base, agent }: Way, { method, path, body }: TrivyServerCall, signal: AbortSignal): Promise<TrivyServerAnswer> {
  const answer = await request(new URL(path, base), {
    dispatcher: agent,
    method,
    signal,
    headers: method === 'GET' ? {} : { 'content-type': 'application/protobuf' },
    body: method === 'GET' ? null : body,
  });
  const { statusCode: status, headers, body: stream } = answer;
  const type = String(headers['content-type'] ?? 'application/octet-stream');
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length']);
  if (length === null || length > WHOLE_BYTES) {
    // One that breaks off before anybody reads it is told to whoever reads it.
    stream.on('error', () => undefined);
    return { kind: 'answered', status, type, body: { stream, length } };
  }
  const whole = await stream.bytes().catch(() => null);
  signal.throwIfAborted();
  return whole === null ? { kind: 'away', why: 'it broke off its answer' } : { kind: 'answered', status, type, body: Buffer.from(whole) };
}

function isStale(error: unknown): boolean {
  return error instanceof errors.SocketError || ['ECONNRESET', 'EPIPE'].includes(String((error as NodeJS.ErrnoException).code));
}
