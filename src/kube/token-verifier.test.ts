import { beforeAll, describe, expect, test } from 'vitest';
import { startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { AUDIENCE, claimsOf, ISSUER, makeSigningKey, sign, type SigningKey } from '../../test/fakes/signed-tokens.ts';
import { DISCOVERY_PATH, KEYS_PATH } from './resource.ts';
import { TokenVerifier } from './token-verifier.ts';

const NOW = Date.UTC(2026, 10, 21);
const { signal } = new AbortController();

let first: SigningKey;
let second: SigningKey;

beforeAll(async () => {
  [first, second] = await Promise.all([makeSigningKey('key-1'), makeSigningKey('key-2')]);
});

const tokenOf = (key: SigningKey): Promise<string> => sign(key, claimsOf(NOW / 1000));

async function setUp() {
  const { server, client } = await startFakeCluster();
  const publish = (...keys: readonly SigningKey[]): void => {
    server.documents.set(DISCOVERY_PATH, { issuer: ISSUER, jwks_uri: 'https://elsewhere.example/keys' });
    server.documents.set(KEYS_PATH, { keys: keys.map(({ published }) => published) });
  };
  publish(first);
  const timing = new FakeTiming();
  const faults: unknown[] = [];
  const verifier = new TokenVerifier({ client, audiences: [AUDIENCE], timing, wallNow: () => NOW, onFault: (fault) => faults.push(fault) });
  const tell = async (key: SigningKey): Promise<string> => (await verifier.verify(await tokenOf(key), signal))?.outcome ?? 'not told';
  return { server, client, publish, timing, faults, verifier, tell, asked: () => server.requests.length };
}

describe('the keys of tokens', () => {
  test('are read once for many tokens, and again after some minutes: a key that is gone is of no use then', async () => {
    const { publish, timing, tell, asked } = await setUp();
    expect(await Promise.all(Array.from({ length: 5 }, () => tell(first)))).toEqual(Array(5).fill('authenticated'));
    expect(asked()).toBe(2);
    publish(second);
    timing.jump(599_000);
    expect(await tell(first)).toBe('authenticated');
    expect(asked()).toBe(2);
    timing.jump(1_000);
    expect(await tell(first)).toBe('not told');
    expect(asked()).toBe(4);
  });

  test('are read anew for one that they lack, not more than once a minute', async () => {
    const { publish, timing, tell, asked } = await setUp();
    await tell(first);
    expect(await tell(second)).toBe('not told');
    expect(asked()).toBe(2);
    publish(first, second);
    timing.jump(60_000);
    expect(await Promise.all([tell(second), tell(second), tell(first)])).toEqual(Array(3).fill('authenticated'));
    expect(asked()).toBe(4);
    const made = await makeSigningKey('made-up');
    for (let call = 0; call < 5; call++) expect(await tell(made)).toBe('not told');
    timing.jump(60_000);
    for (let call = 0; call < 5; call++) expect(await tell(made)).toBe('not told');
    expect(asked()).toBe(6);
  });

  test.each([
    ['without the right', 403],
    ['that are not served', 404],
    ['of an API server in trouble', 500],
  ])('%s tell nothing; they are tried again after a minute, and it is told once', async (_, statusCode) => {
    const { server, timing, faults, tell, asked } = await setUp();
    for (let time = 0; time < 2; time++) server.failNext({ kind: 'answer', statusCode }, ({ path }) => path === KEYS_PATH);
    expect(await tell(first)).toBe('not told');
    timing.jump(59_000);
    expect(await tell(first)).toBe('not told');
    expect(asked()).toBe(2);
    timing.jump(1_000);
    expect(await tell(first)).toBe('not told');
    expect(faults).toHaveLength(1);
    timing.jump(60_000);
    expect(await tell(first)).toBe('authenticated');
    expect(faults).toEqual([expect.any(Error), null]);
    expect(asked()).toBe(6);
  });

  test.each([
    ['no keys', KEYS_PATH, { keys: [] }],
    ['what is no key set', KEYS_PATH, 'keys'],
    ['no issuer', DISCOVERY_PATH, {}],
  ])('that are %s tell nothing', async (_, path, document) => {
    const { server, tell, faults } = await setUp();
    server.documents.set(path, document);
    expect(await tell(first)).toBe('not told');
    expect(faults).toMatchObject([{ code: 'bad-answer' }]);
  });

  test('of another issuer tell nothing: the API server may know more than one', async () => {
    const { server, tell } = await setUp();
    server.documents.set(DISCOVERY_PATH, { issuer: 'https://oidc.example' });
    expect(await tell(first)).toBe('not told');
  });

  test('who waits no longer does not take them from others', async () => {
    const { server, verifier, tell } = await setUp();
    server.failNext({ kind: 'slow', ms: 50 });
    const stop = new AbortController();
    const one = expect(verifier.verify(await tokenOf(first), stop.signal)).rejects.toThrow('enough');
    const other = tell(first);
    stop.abort(new Error('enough'));
    await one;
    expect(await other).toBe('authenticated');
  });
});
