import { describe, expect, test } from 'vitest';
import { CREDENTIALS, podOf, reviewOf, RUN } from '../../test/fakes/coordinator-in-test.ts';
import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import { identifyWorker, readClaims, type TokenClaims } from './identify-worker.ts';
import type { ReviewedToken, WorkerPodRecord } from './ports.ts';

const REVIEW = reviewOf('worker-1', 'uid-1', 'node-1');
const POD = podOf('worker-1', 'uid-1', RUN);
const CLAIMS: TokenClaims = { podName: 'worker-1', podUid: 'uid-1', node: 'node-1' };

describe('readClaims', () => {
  test('of a token that is bound to a pod', () => {
    expect(readClaims(REVIEW, CREDENTIALS)).toEqual({ kind: 'claims', ...CLAIMS });
  });

  test('an API server before 1.30 says no node', () => {
    expect(readClaims(reviewOf('worker-1', 'uid-1', null), CREDENTIALS)).toMatchObject({ kind: 'claims', node: null });
  });

  const POD_UID = 'authentication.kubernetes.io/pod-uid';
  const refused: readonly (readonly [string, ReviewedToken, string])[] = [
    ['an expired one', { outcome: 'rejected', reason: 'token has expired' }, 'token-rejected'],
    ['one for the API server', { ...REVIEW, audiences: ['https://kubernetes.default.svc'] }, 'other-audience'],
    ['one for nobody', { ...REVIEW, audiences: [] }, 'other-audience'],
    ['one of another account', { ...REVIEW, username: 'system:serviceaccount:eraser-system:default' }, 'other-account'],
    [
      'one of the account of this name in another namespace',
      { ...REVIEW, username: 'system:serviceaccount:shop:eraser-imagejob-pods' },
      'other-account',
    ],
    ['one that is bound to nothing', { ...REVIEW, extra: {} }, 'unbound-token'],
    ['one without a pod uid', { ...REVIEW, extra: { ...REVIEW.extra, [POD_UID]: [] } }, 'unbound-token'],
    ['one with two', { ...REVIEW, extra: { ...REVIEW.extra, [POD_UID]: ['uid-1', 'uid-2'] } }, 'unbound-token'],
    ['one with an empty one', { ...REVIEW, extra: { ...REVIEW.extra, [POD_UID]: [''] } }, 'unbound-token'],
  ];
  test.each(refused)('refuses %s', (_, review, code) => {
    expect(readClaims(review, CREDENTIALS)).toMatchObject({ kind: 'refused', code });
  });
});

describe('identifyWorker', () => {
  const WORKER = { kind: 'worker', worker: { ...RUN, podName: 'worker-1', podUid: 'uid-1' }, pod: POD };

  test('speaks for its own node and run', () => {
    expect(identifyWorker(CLAIMS, POD, RUN)).toEqual(WORKER);
    expect(identifyWorker(CLAIMS, POD, null)).toEqual(WORKER);
    expect(identifyWorker({ ...CLAIMS, node: null }, POD, RUN)).toEqual(WORKER);
  });

  const refused: readonly (readonly [string, { claims?: TokenClaims; pod?: WorkerPodRecord | null; asked?: NodeRun }, string])[] = [
    ['a pod that is none of ours', { pod: null }, 'unknown-pod'],
    ['an earlier pod of the same name', { pod: { ...POD, uid: 'uid-2' } }, 'unknown-pod'],
    ['another pod of the same uid', { pod: { ...POD, name: 'worker-2' } }, 'unknown-pod'],
    ['a pod that has ended', { pod: { ...POD, isFinished: true } }, 'pod-finished'],
    ['a token of another node than the pod', { claims: { ...CLAIMS, node: 'node-2' } }, 'other-node'],
    ['a call about another node', { asked: { ...RUN, node: 'node-2' } }, 'other-node'],
    ['a call about another run', { asked: { ...RUN, job: 'other' } }, 'other-run'],
  ];
  test.each(refused)('refuses %s', (_, { claims = CLAIMS, pod = POD, asked = RUN }, code) => {
    expect(identifyWorker(claims, pod, asked)).toMatchObject({ kind: 'refused', code });
  });

  test('a pod whose node is not known yet is to come again', () => {
    expect(identifyWorker(CLAIMS, { ...POD, node: null }, RUN)).toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
  });
});
