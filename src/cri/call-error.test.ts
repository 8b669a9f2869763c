import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { isTransient, toCriError } from './call-error.ts';

/** As the transport gives a failed connection: Node's own error is the cause. */
function connectionFailure(code: string): ConnectError {
  return new ConnectError('failed', Code.Unavailable, undefined, undefined, Object.assign(new Error(`connect ${code}`), { code }));
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
    ['is starting', new ConnectError('no', Code.Unavailable), true],
    ['is starting, in the words of containerd 1.6', new ConnectError('server is not initialized yet', Code.Unknown), true],
    ['broke the call off', new ConnectError('no', Code.Canceled), true],
    ['failed', new ConnectError('no', Code.Internal), false],
    ['failed in a way of its own', new ConnectError('no', Code.Unknown), false],
    ['took too long', new ConnectError('no', Code.DeadlineExceeded), false],
  ])('a runtime that says that it %s', (_case, failure, expected) => {
    expect(isTransient(failure)).toBe(expected);
  });
});
