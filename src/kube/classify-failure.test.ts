import { describe, expect, test } from 'vitest';
import { classifyFailure, DeadlineExceeded } from './classify-failure.ts';
import { NODES } from './resource.ts';

const CALL = { intent: { verb: 'list', resource: NODES }, server: 'https://k8s' } as const;
const coded = (code: string, message = code): Error => Object.assign(new Error(message), { code });

describe('classifyFailure goes by name and cause', () => {
  test.each([
    [
      'a reset, which fetch calls "terminated"',
      new TypeError('terminated', { cause: coded('UND_ERR_SOCKET', 'other side closed') }),
      'unreachable',
      false,
    ],
    ['a reset', coded('ECONNRESET'), 'unreachable', false],
    ['a refused connection', new TypeError('fetch failed', { cause: coded('ECONNREFUSED') }), 'unreachable', true],
    ['several addresses that refuse', new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')], ''), 'unreachable', true],
    ['a name that is not known', coded('ENOTFOUND'), 'unreachable', true],
    ['a time-out, which is a DOMException', new DOMException('The operation was aborted due to timeout', 'TimeoutError'), 'timeout', false],
    ['our own deadline', new DeadlineExceeded(5), 'timeout', false],
    ['headers that do not come', coded('UND_ERR_HEADERS_TIMEOUT'), 'timeout', false],
    ['a body that stops', new TypeError('terminated', { cause: coded('UND_ERR_BODY_TIMEOUT') }), 'timeout', false],
    ['an authority that is not known', coded('SELF_SIGNED_CERT_IN_CHAIN'), 'untrusted', true],
    ['a certificate for another name', coded('ERR_TLS_CERT_ALTNAME_INVALID'), 'untrusted', true],
    ['an expired certificate', new TypeError('fetch failed', { cause: coded('CERT_HAS_EXPIRED') }), 'untrusted', true],
    ['no error at all', 'text', 'unreachable', false],
  ])('%s', (_, error, code, notExecuted) => {
    expect(classifyFailure(error, CALL)).toMatchObject({ code, notExecuted });
  });

  test('tells the innermost cause', () => {
    const error = new TypeError('terminated', { cause: coded('UND_ERR_SOCKET', 'other side closed') });
    expect(classifyFailure(error, CALL).message).toBe('list nodes: the API server at https://k8s cannot be reached: other side closed');
  });

  test('survives an error that causes itself', () => {
    const error = new Error('round');
    error.cause = error;
    expect(classifyFailure(error, CALL).code).toBe('unreachable');
  });
});
