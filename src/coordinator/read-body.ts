import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuse, type Refusal } from './refusal.ts';
import type { Slots } from './slots.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  /** `application/json`. */
  readonly type: string;
  readonly timeoutMs: number;
  /** Bytes that may be in memory, of all calls. */
  readonly inFlight: Slots;
}

export interface Body {
  readonly kind: 'body';
  readonly bytes: Buffer;
  /** When nothing of the body is in use any more. */
  readonly release: () => void;
}

/**
 * Reads the body of a call, of which nothing is in memory before there is room for all of it. A client that waits to be asked for it
 * (`Expect: 100-continue`) sends it only then. A refusal leaves it unread: the connection is of no more use.
 */
export async function readBody(request: IncomingMessage, response: ServerResponse, limits: BodyLimits): Promise<Body | Refusal> {
  const { maxBytes, type, inFlight } = limits;
  const allowed = `A body of at most ${maxBytes} bytes, with a Content-Length.`;
  const length = request.headers['content-length'];
  if (length === undefined) return refuse('length-required', { detail: 'The call does not say how long its body is.', allowed });
  if (Number(length) > maxBytes) return refuse('too-large', { detail: `The body has ${length} bytes.`, allowed });
  if (mediaType(request) !== type) {
    return refuse('unsupported-type', { detail: `The body is not said to be ${type}.`, allowed: `Content-Type: ${type}` });
  }
  const release = inFlight.take('', Number(length));
  if (release === null) {
    const detail = 'Too much is being sent at once.';
    return refuse('busy', { detail, allowed: 'The same call, after the pause.', retryAfterSeconds: 1 });
  }
  if (/^100-continue$/i.test(request.headers.expect ?? '')) response.writeContinue();
  const read = await collect(request, Number(length), limits.timeoutMs);
  if (Buffer.isBuffer(read)) return { kind: 'body', bytes: read, release };
  release();
  return read === 'too-slow'
    ? refuse('too-slow', { detail: `The body did not come within ${limits.timeoutMs / 1000} s.`, allowed })
    : refuse('cut-off', { detail: 'The body was cut off.', allowed });
}

function mediaType({ headers }: IncomingMessage): string {
  return (headers['content-type'] ?? '').replace(/;.*$/s, '').trim().toLowerCase();
}

async function collect(request: IncomingMessage, length: number, timeoutMs: number): Promise<Buffer | 'too-slow' | 'cut-off'> {
  const chunks: Buffer[] = [];
  let size = 0;
  const { promise, resolve } = Promise.withResolvers<Buffer | 'too-slow' | 'cut-off'>();
  const timer = setTimeout(() => resolve('too-slow'), timeoutMs);
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    chunks.push(chunk);
  };
  request.on('data', onData);
  request.once('end', () => resolve(size === length ? Buffer.concat(chunks) : 'cut-off'));
  request.once('close', () => resolve('cut-off'));
  request.once('error', () => resolve('cut-off'));
  // Its sender may have gone while it was found out who that is.
  if (request.destroyed) resolve('cut-off');
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    request.off('data', onData);
    if (!request.readableEnded) request.pause();
  }
}
