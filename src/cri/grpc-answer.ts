import type { IncomingHttpHeaders } from 'node:http2';
import { GRPC_STATUS, GrpcError, type GrpcStatus } from './grpc-error.ts';

/** What came over a closed stream. */
export interface HttpAnswer {
  /** null: the stream ended before any. */
  readonly header: IncomingHttpHeaders | null;
  readonly trailer: IncomingHttpHeaders;
  readonly body: readonly Buffer[];
  /** The server broke the call off, as when it stops. */
  readonly isCancelled: boolean;
}

/** The messages of a call that succeeded. Throws a GrpcError for any other (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). */
export function answerOf({ header, trailer, body, isCancelled }: HttpAnswer): Uint8Array[] {
  if (header === null) throw new GrpcError(isCancelled ? 'canceled' : 'internal', 'the server ended the call without an answer');
  const httpStatus = Number(header[':status']);
  if (httpStatus !== 200) throw new GrpcError(statusOfHttp(httpStatus), `HTTP ${String(httpStatus)}`);
  const type = header['content-type'];
  if (type === undefined || !/^application\/grpc(\+proto)?(;|$)/.test(type)) {
    throw new GrpcError('unknown', `the answer is no gRPC but of type ${type ?? '(none)'}`);
  }
  const status = trailer['grpc-status'] ?? header['grpc-status'];
  if (status === undefined) throw new GrpcError(isCancelled ? 'canceled' : 'internal', 'the server ended the call without a status');
  if (status !== '0') throw statusError(String(status), trailer['grpc-message'] ?? header['grpc-message']);
  return splitFrames(body.length === 1 && body[0] !== undefined ? body[0] : Buffer.concat(body));
}

function statusError(number: string, message: string | string[] | undefined): GrpcError {
  const status = GRPC_STATUS[Number(number)];
  if (status === undefined) return new GrpcError('internal', `the answer has the unknown status ${number}`);
  return new GrpcError(status, decoded(String(message ?? '')));
}

/** gRPC encodes messages by per cent. What is not encoded so is shown as it came. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function splitFrames(bytes: Buffer): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const start = at + FRAME_HEAD_BYTES;
    if (start > bytes.length) throw new GrpcError('internal', 'the answer ends within a message');
    // None was asked for.
    if (bytes.readUInt8(at) !== 0) throw new GrpcError('internal', 'the answer is compressed');
    at = start + bytes.readUInt32BE(at + 1);
    if (at > bytes.length) throw new GrpcError('internal', 'the answer ends within a message');
    messages.push(bytes.subarray(start, at));
  }
  return messages;
}

/** Whether it is compressed, then its length. */
const FRAME_HEAD_BYTES = 5;

/** As gRPC has it (github.com/grpc/grpc, doc/http-grpc-status-mapping.md). */
function statusOfHttp(status: number): GrpcStatus {
  switch (status) {
    case 400:
      return 'internal';
    case 401:
      return 'unauthenticated';
    case 403:
      return 'permission-denied';
    case 404:
      return 'unimplemented';
    case 429:
    case 502:
    case 503:
    case 504:
      return 'unavailable';
    default:
      return 'unknown';
  }
}
