import { describe, expect, test } from 'vitest';
import { isTransient, toCriError } from './call-error.ts';
import { GrpcError } from './grpc-error.ts';

/** As the transport gives a failed connection: Node's own error is the cause. */
function connectionFailure(code: string): GrpcError {
  return new GrpcError('unavailable', 'failed', { cause: Object.assign(new Error(`connect ${code}`), { code }) });
}

describe('isTransient', () => {
  test.each(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ERR_HTTP2_STREAM_CANCEL'])(
    'a connection that fails with %s may come back',
    (code) => {
      expect(isTransient(connectionFailure(code))).toBe(true);
    },
  );

  test('a socket that may not be opened stays closed', () => {
    const failure = connectionFailure('EACCES');
    expect(isTransient(failure)).toBe(false);
    expect(toCriError(failure, { call: 'ListImages', socketPath: '/x.sock' })).toMatchObject({
      code: 'permission-denied',
      action: 'give-up',
    });
  });

  test.each([
    ['is starting', new GrpcError('unavailable', 'no'), true],
    ['is starting, in the words of containerd 1.6', new GrpcError('unknown', 'server is not initialized yet'), true],
    ['broke the call off', new GrpcError('canceled', 'no'), true],
    ['failed', new GrpcError('internal', 'no'), false],
    ['failed in a way of its own', new GrpcError('unknown', 'no'), false],
    ['took too long', new GrpcError('deadline-exceeded', 'no'), false],
  ])('a runtime that says that it %s', (_case, failure, expected) => {
    expect(isTransient(failure)).toBe(expected);
  });
});
