import http2 from 'node:http2';
import { errorMessage } from '../platform/errors.ts';
import { answerOf, type HttpAnswer } from './grpc-answer.ts';
import { GrpcError } from './grpc-error.ts';
import type { UnixSession } from './unix-session.ts';

export interface GrpcRequest {
  /** `/runtime.v1.RuntimeService/Version` */
  readonly path: string;
  readonly headers: http2.OutgoingHttpHeaders;
  readonly message: Uint8Array;
  readonly signal: AbortSignal;
  /** Of the whole call, milliseconds. */
  readonly timeoutMs: number;
}

/** A list of all containers of a node has some MB; this is not one. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/**
 * One gRPC call with one request message, by gRPC's protocol over HTTP/2. Gives the messages of the answer. Every failure is a GrpcError; where the connection failed, and
 * not the call, Node's own error is its cause.
 */
export async function callGrpc(session: UnixSession, request: GrpcRequest): Promise<Uint8Array[]> {
  const { signal, timeoutMs } = request;
  const over = Promise.withResolvers<never>();
  const onAbort = (): void => over.reject(new GrpcError('canceled', 'the call was broken off'));
  const onTimeout = (): void => over.reject(new GrpcError('deadline-exceeded', 'the call took too long'));
  const timer = setTimeout(onTimeout, timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return answerOf(await exchange(session, request, over.promise));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

async function exchange(session: UnixSession, request: GrpcRequest, over: Promise<never>): Promise<HttpAnswer> {
  const opening = session.request(requestHeaders(request));
  let stream: http2.ClientHttp2Stream;
  try {
    stream = await Promise.race([opening, over]);
  } catch (error) {
    // One that opens all the same is not left open.
    opening.then(cancel, () => undefined);
    throw toGrpcError(error);
  }
  try {
    return await Promise.race([receive(stream, request.message), over]);
  } catch (error) {
    cancel(stream);
    throw toGrpcError(error);
  }
}

function cancel(stream: http2.ClientHttp2Stream): void {
  stream.on('error', () => undefined);
  if (!stream.closed) stream.close(http2.constants.NGHTTP2_CANCEL);
}

function requestHeaders({ path, headers, timeoutMs }: GrpcRequest): http2.OutgoingHttpHeaders {
  return {
    ...headers,
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'image-cleaner',
    // Eight digits at most: 27 hours.
    'grpc-timeout': `${String(Math.min(Math.ceil(timeoutMs), 99_999_999))}m`,
  };
}

/** Sends the message, and collects what comes until the stream is closed. */
function receive(stream: http2.ClientHttp2Stream, message: Uint8Array): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let [header, trailer]: [http2.IncomingHttpHeaders | null, http2.IncomingHttpHeaders] = [null, {}];
    let bytes = 0;
    stream.on('response', (headers) => (header = headers));
    stream.on('trailers', (headers: http2.IncomingHttpHeaders) => (trailer = headers));
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES)
        reject(new GrpcError('resource-exhausted', `the answer is larger than ${String(MAX_ANSWER_BYTES)} bytes`));
      else chunks.push(chunk);
    });
    stream.on('error', reject);
    stream.on('close', () => resolve({ header, trailer, body: chunks, isCancelled: stream.rstCode === http2.constants.NGHTTP2_CANCEL }));
    stream.end(frame(message));
  });
}

/** A message on the wire: whether it is compressed, its length, itself. */
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.length);
  framed.writeUInt8(0, 0);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, FRAME_HEAD_BYTES);
  return framed;
}

const FRAME_HEAD_BYTES = 5;

function toGrpcError(error: unknown): GrpcError {
  return error instanceof GrpcError ? error : new GrpcError('unavailable', errorMessage(error), { cause: error });
}
