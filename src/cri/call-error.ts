import { errorMessage } from '../platform/errors.ts';
import { CriError, type CriErrorCode } from './cri-error.ts';
import { GrpcError, type GrpcStatus } from './grpc-error.ts';

/** Until 1.7, containerd gives this as gRPC code Unknown rather than Unavailable, while its CRI service is starting. */
const STARTING = 'server is not initialized yet';

/** The codes of Node's own errors behind one from gRPC: `ENOENT`, `ERR_HTTP2_ERROR`. */
export function nodeErrorCodes(error: unknown): string[] {
  const codes: string[] = [];
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    if ('code' in at && typeof at.code === 'string') codes.push(at.code);
  }
  return codes;
}

/** The runtime is there and says that it is still starting. */
export function isStarting(error: unknown): boolean {
  if (!(error instanceof GrpcError)) return false;
  if (error.status === 'unknown') return error.message.includes(STARTING);
  return error.status === 'unavailable' && nodeErrorCodes(error).length === 0;
}

/**
 * Whether the same call may succeed by itself a little later. Ask only when the caller's own signal did not abort the call, and only after
 * a first contact: an absent socket is then one that is being made anew, and a cancelled call one that the server broke off.
 */
export function isTransient(error: unknown): boolean {
  const codes = nodeErrorCodes(error);
  // Node's own error, rather than an answer: the connection failed.
  if (codes.length > 0) return !codes.includes('EACCES');
  return isStarting(error) || (error instanceof GrpcError && ['aborted', 'canceled'].includes(error.status));
}

export interface FailedCall {
  /** `ListImages`. */
  readonly call: string;
  readonly socketPath: string;
}

/** Turns what a gRPC call threw into this room's error. */
export function toCriError(error: unknown, { call, socketPath }: FailedCall): CriError {
  if (error instanceof CriError) return error;
  const status = error instanceof GrpcError ? error.status : 'unknown';
  const detail = errorMessage(error);
  if (nodeErrorCodes(error).includes('EACCES')) return permissionDenied(socketPath, error);
  if (isTransient(error)) {
    return new CriError({
      code: 'unavailable',
      action: 'retry',
      message: `${call}: the container runtime at ${socketPath} cannot be reached: ${detail}`,
      hint: 'Check that it runs, for example with `systemctl status containerd`, and its log.',
      cause: error,
    });
  }
  if (status === 'deadline-exceeded') {
    return new CriError({
      code: 'deadline-exceeded',
      action: 'retry',
      message: `${call}: the container runtime at ${socketPath} did not answer in time`,
      hint: 'The node may be overloaded, or the runtime hang: see its log. Or the socket is of another program.',
      cause: error,
    });
  }
  return new CriError({
    code: ANSWERED[status] ?? 'call-failed',
    message: `${call}: the container runtime at ${socketPath} answered with an error (${status}): ${detail || 'no message'}`,
    hint: 'See the log of the container runtime.',
    cause: error,
  });
}

const ANSWERED: Partial<Record<GrpcStatus, CriErrorCode>> = {
  'not-found': 'not-found',
  unimplemented: 'not-implemented',
  'invalid-argument': 'invalid-argument',
};

export function permissionDenied(socketPath: string, cause: unknown): CriError {
  return new CriError({
    code: 'permission-denied',
    message: `No permission to open the container runtime's socket ${socketPath}`,
    hint: 'Run as root: the socket gives full control over the node, and only root may open it.',
    cause,
  });
}
