import type { RuntimeVersion } from '../api/inventory.ts';
import { errorMessage } from '../platform/errors.ts';
import { isStarting, nodeErrorCodes, permissionDenied, toCriError } from './call-error.ts';
import { CriError } from './cri-error.ts';
import { GrpcError, type GrpcStatus } from './grpc-error.ts';
import type { RuntimeConnection } from './runtime-connection.ts';

/** A runtime answers Version at once; one that does not in this time is hung, or the socket is another program's. */
const PROBE_DEADLINE_MS = 10_000;

const POLICY = { deadlineMs: PROBE_DEADLINE_MS, isTransient: isStarting };

/** The first contact: a wrong or absent socket fails at once and says why; only a runtime that is still starting is waited for. */
export async function probeRuntime(connection: RuntimeConnection, signal: AbortSignal): Promise<RuntimeVersion> {
  try {
    const answer = await connection.attempt(signal, POLICY, (options) => connection.runtime.version({}, options));
    return { name: answer.runtimeName, version: answer.runtimeVersion };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof GrpcError && error.status === 'unimplemented') throw await explainUnimplemented(connection, signal, error);
    throw explainFirstContact(error, connection.socketPath);
  }
}

async function explainUnimplemented(connection: RuntimeConnection, signal: AbortSignal, cause: unknown): Promise<CriError> {
  const { socketPath } = connection;
  try {
    const old = await connection.attempt(signal, POLICY, (options) => connection.oldRuntime.version({}, options));
    return new CriError({
      code: 'unsupported-version',
      message: `${old.runtimeName} ${old.runtimeVersion} at ${socketPath} offers only CRI v1alpha2`,
      hint: 'Update the container runtime to one with CRI v1: containerd 1.6, CRI-O 1.23, or later.',
      cause,
    });
  } catch {
    signal.throwIfAborted();
    return new CriError({
      code: 'not-a-runtime',
      message: `The server at ${socketPath} does not offer the Container Runtime Interface`,
      hint: 'If it is containerd, remove "cri" from `disabled_plugins` in /etc/containerd/config.toml and restart it; else name the right socket.',
      cause,
    });
  }
}

function explainFirstContact(error: unknown, socketPath: string): CriError {
  const codes = nodeErrorCodes(error);
  if (codes.includes('ENOENT') || codes.includes('ENOTDIR')) {
    return new CriError({
      code: 'no-socket',
      message: `There is no socket ${socketPath}`,
      hint: 'Start the container runtime, or name its socket.',
      cause: error,
    });
  }
  if (codes.includes('EACCES') || codes.includes('EPERM')) return permissionDenied(socketPath, error);
  if (codes.includes('ECONNREFUSED')) {
    return new CriError({
      code: 'unavailable',
      action: 'retry',
      message: `Nothing listens on ${socketPath}`,
      hint: 'Start the container runtime: the socket is left over from one that has stopped, or is not a socket.',
      cause: error,
    });
  }
  if (!isForeignProtocol(error)) return toCriError(error, { call: 'Version', socketPath });
  return new CriError({
    code: 'not-a-runtime',
    message: `The server at ${socketPath} does not speak gRPC: ${errorMessage(error)}`,
    hint: 'Name the socket of the container runtime; the one of Docker is not one.',
    cause: error,
  });
}

/** A server that hangs up on HTTP/2, answers in another protocol, or answers HTTP/2 without gRPC. */
function isForeignProtocol(error: unknown): boolean {
  if (nodeErrorCodes(error).some((code) => code.startsWith('ERR_HTTP2_') || code === 'ECONNRESET' || code === 'EPIPE')) return true;
  return error instanceof GrpcError && FOREIGN.includes(error.status);
}

const FOREIGN: readonly GrpcStatus[] = ['internal', 'unknown', 'unauthenticated', 'aborted', 'canceled'];
