import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classifyAnswer } from './classify-answer.ts';
import { CONFIG_MAPS } from './resource.ts';

const ASKED = {
  intent: { verb: 'patch', resource: CONFIG_MAPS, namespace: 'shop', name: 'one' },
  server: 'https://k8s',
  wallNow: Date.parse('2026-01-01T00:00:00Z'),
} as const;

function answer(statusCode: number, status: object | string, retryAfter?: string): Parameters<typeof classifyAnswer>[0] {
  return {
    statusCode,
    retryAfter,
    body: typeof status === 'string' ? status : JSON.stringify({ kind: 'Status', code: statusCode, ...status }),
  };
}

describe('classifyAnswer', () => {
  test.each([
    [400, 'BadRequest', 'invalid', 'give-up'],
    [401, 'Unauthorized', 'unauthorized', 'give-up'],
    [403, 'Forbidden', 'forbidden', 'give-up'],
    [404, 'NotFound', 'not-found', 'give-up'],
    [405, 'MethodNotAllowed', 'refused', 'give-up'],
    [409, 'AlreadyExists', 'already-exists', 'give-up'],
    [409, 'Conflict', 'conflict', 'give-up'],
    [410, 'Expired', 'gone', 'give-up'],
    [413, 'RequestEntityTooLarge', 'invalid', 'give-up'],
    [422, 'Invalid', 'invalid', 'give-up'],
    [429, 'TooManyRequests', 'throttled', 'retry'],
    [500, 'InternalError', 'server-error', 'retry'],
    [503, 'ServiceUnavailable', 'server-error', 'retry'],
    [504, 'Timeout', 'timeout', 'retry'],
  ])('%d %s is %s', (statusCode, reason, code, action) => {
    const error = classifyAnswer(answer(statusCode, { reason, message: 'why' }), ASKED);
    expect(error).toMatchObject({ code, action, status: { reason } });
    expect(error.message).toBe(`patch configmaps shop/one: the API server at https://k8s answered ${statusCode}: why`);
    expect(error.hint).not.toBe('');
  });

  test.each([
    ['seconds', '7', {}, 7_000],
    ['a date', 'Thu, 01 Jan 2026 00:00:30 GMT', {}, 30_000],
    ['a date that is over', 'Thu, 01 Jan 2015 00:00:30 GMT', {}, 0],
    ['only in the Status', undefined, { details: { retryAfterSeconds: 2 } }, 2_000],
    ['nothing', undefined, {}, undefined],
    ['nonsense', 'soon', {}, undefined],
  ])('Retry-After as %s', (_, header, status, expected) => {
    expect(classifyAnswer(answer(429, status, header), ASKED).retryAfterMs).toBe(expected);
  });

  test('a conflict of field managers names them', () => {
    const causes = [{ reason: 'FieldManagerConflict', message: 'conflict with "kubectl" using v1', field: '.data.a' }];
    const error = classifyAnswer(answer(409, { reason: 'Conflict', message: 'Apply failed', details: { causes } }), ASKED);
    expect(error.hint).toBe('Another manager owns the field: .data.a (conflict with "kubectl" using v1).');
    expect(error.status?.details.causes).toEqual(causes);
  });

  test('plain text of a load balancer is told, cut', () => {
    const error = classifyAnswer(answer(503, `upstream ${'x'.repeat(1000)}`), ASKED);
    expect(error).toMatchObject({ code: 'server-error', action: 'retry' });
    expect(error.message.length).toBeLessThan(350);
  });

  test('no body and no status makes it throw', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 300, max: 599 }),
        fc.oneof(fc.string(), fc.json()),
        fc.option(fc.string(), { nil: undefined }),
        (statusCode, body, retryAfter) => {
          const error = classifyAnswer({ statusCode, body, retryAfter }, ASKED);
          expect(error.message).toContain('patch configmaps shop/one');
          expect(error.retryAfterMs ?? 0).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });
});
