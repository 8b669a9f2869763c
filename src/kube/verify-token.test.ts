import { createHmac } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { AUDIENCE, claimsOf, ISSUER, makeSigningKey, sign, type SigningKey } from '../../test/fakes/signed-tokens.ts';
import { verifyToken, type TokenIssuer, type VerifiedToken } from './verify-token.ts';

const NOW = Date.UTC(2026, 10, 21);
const CLAIMS = claimsOf(NOW / 1000);
const BOUND = CLAIMS['kubernetes.io'] as Readonly<Record<string, unknown>>;

let key: SigningKey;
let another: SigningKey;
let issuedBy: TokenIssuer;

beforeAll(async () => {
  [key, another] = await Promise.all([makeSigningKey('key-1'), makeSigningKey('key-1')]);
  issuedBy = { issuer: ISSUER, keys: createLocalJWKSet({ keys: [key.published] }) };
});

const verify = (token: string, wallNow = NOW + 60_000): Promise<VerifiedToken> =>
  verifyToken(token, { issuedBy, audiences: [AUDIENCE], wallNow });

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token of a worker pod', () => {
  test('is known by its signature, as a review would tell it', async () => {
    expect(await verify(await sign(key, CLAIMS))).toEqual({
      outcome: 'authenticated',
      username: 'system:serviceaccount:eraser-system:eraser-imagejob-pods',
      uid: 'account-uid',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:eraser-system', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/pod-name': ['worker-1'],
        'authentication.kubernetes.io/pod-uid': ['uid-1'],
        'authentication.kubernetes.io/node-name': ['node-1'],
      },
      audiences: [AUDIENCE],
    });
  });

  test.each(['RS256', 'ES384', 'ES512'])('may be signed by %s', async (alg) => {
    const signing = await makeSigningKey('key-1', alg);
    const expectations = { issuedBy: { issuer: ISSUER, keys: createLocalJWKSet({ keys: [signing.published] }) }, audiences: [AUDIENCE] };
    expect(await verifyToken(await sign(signing, CLAIMS), { ...expectations, wallNow: NOW })).toMatchObject({ outcome: 'authenticated' });
  });

  test('of an API server before 1.30 names no node', async () => {
    const verified = await verify(await sign(key, { ...CLAIMS, 'kubernetes.io': { ...BOUND, node: undefined } }));
    expect(verified).toMatchObject({ outcome: 'authenticated', extra: { 'authentication.kubernetes.io/pod-uid': ['uid-1'] } });
    expect(JSON.stringify(verified)).not.toContain('node-name');
  });

  test('tells of its audiences those that were asked for', async () => {
    expect(await verify(await sign(key, { ...CLAIMS, aud: ['other', AUDIENCE] }))).toMatchObject({ audiences: [AUDIENCE] });
  });
});

describe('is proven by no', () => {
  const claims: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ['token of another issuer', { iss: 'https://elsewhere.example' }],
    ['token for another audience', { aud: ['https://kubernetes.default.svc'] }],
    ['token for nobody', { aud: [] }],
    ['token that is over', { exp: NOW / 1000 + 59 }],
    ['token that never ends', { exp: undefined }],
    ['token of the future', { nbf: NOW / 1000 + 61 }],
    ['token without a beginning', { nbf: undefined }],
    ['token whose subject is another account', { sub: 'system:serviceaccount:eraser-system:default' }],
    ['token that is bound to no pod', { 'kubernetes.io': { ...BOUND, pod: undefined } }],
    ['token whose pod has no uid', { 'kubernetes.io': { ...BOUND, pod: { name: 'worker-1' } } }],
    ['token whose pod has an empty uid', { 'kubernetes.io': { ...BOUND, pod: { name: 'worker-1', uid: '' } } }],
    ['token of no service account', { 'kubernetes.io': { ...BOUND, serviceaccount: undefined } }],
    ['token that says nothing of Kubernetes', { 'kubernetes.io': undefined }],
  ];
  test.each(claims)('%s', async (_, changed) => {
    const all = Object.entries({ ...CLAIMS, ...changed }).filter(([, value]) => value !== undefined);
    expect(await verify(await sign(key, Object.fromEntries(all)))).toEqual({ outcome: 'unproven' });
  });

  test('signature of another key of this name', async () => {
    expect(await verify(await sign(another, CLAIMS))).toEqual({ outcome: 'unproven' });
  });

  test('claims that were changed afterwards', async () => {
    const [header, , signature] = (await sign(key, CLAIMS)).split('.');
    expect(await verify([header, encode({ ...CLAIMS, exp: NOW }), signature].join('.'))).toEqual({ outcome: 'unproven' });
  });

  test('token without a signature, or one that whoever checks could make', async () => {
    expect(await verify(`${encode({ alg: 'none', kid: 'key-1' })}.${encode(CLAIMS)}.`)).toEqual({ outcome: 'unproven' });
    const head = `${encode({ alg: 'HS256', kid: 'key-1' })}.${encode(CLAIMS)}`;
    const mac = createHmac('sha256', JSON.stringify(key.published)).update(head).digest('base64url');
    expect(await verify(`${head}.${mac}`)).toEqual({ outcome: 'unproven' });
  });

  test('token that names no key', async () => {
    expect(await verify(await sign(key, CLAIMS, { kid: undefined }))).toEqual({ outcome: 'unproven' });
  });

  test.each(['', 'a.b.c', 'nothing', '..'])('%o', async (token) => {
    expect(await verify(token)).toEqual({ outcome: 'unproven' });
  });
});

test('a key that is not known here may be a newer one', async () => {
  expect(await verify(await sign(await makeSigningKey('key-2'), CLAIMS))).toEqual({ outcome: 'unknown-key' });
});
