/** gRPC's status codes that this room tells apart (github.com/grpc/grpc, doc/statuscodes.md), by their number on the wire. */
export const GRPC_STATUS = [
  'ok',
  'canceled',
  'unknown',
  'invalid-argument',
  'deadline-exceeded',
  'not-found',
  'already-exists',
  'permission-denied',
  'resource-exhausted',
  'failed-precondition',
  'aborted',
  'out-of-range',
  'unimplemented',
  'internal',
  'unavailable',
  'data-loss',
  'unauthenticated',
] as const;

export type GrpcStatus = (typeof GRPC_STATUS)[number];

/** A call that failed: the server said so, or it did not get through; then Node's own error is the cause. */
export class GrpcError extends Error {
  readonly status: GrpcStatus;

  constructor(status: GrpcStatus, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GrpcError';
    this.status = status;
  }
}
