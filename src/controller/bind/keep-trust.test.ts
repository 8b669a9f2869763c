import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import type { FakeApiServer } from '../../../test/fakes/fake-api-server.ts';
import { startFakeCluster, type FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { logInTest, type LoggedLine } from '../../../test/fakes/log-in-test.ts';
import { ROTATION_TIMES } from '../../coordinator/pki/authorities.ts';
import { NotLeading } from './bind-cluster-api.ts';
import { Trust } from './keep-trust.ts';

const NAMESPACE = 'eraser-system';
const NAME = 'eraser-coordinator.eraser-system.svc';
const { signal } = new AbortController();

interface Leader {
  readonly trust: Trust;
  readonly lines: readonly LoggedLine[];
}

function leaderAt({ client }: FakeCluster, now: () => number, isHeld = true): Leader {
  const { log, lines } = logInTest();
  const trust = new Trust({
    client,
    namespace: NAMESPACE,
    secret: 'authorities',
    configMap: 'ca',
    serverNames: [NAME],
    wallNow: now,
    isHeld: () => isHeld,
    log,
  });
  return { trust, lines };
}

/** What worker pods mount. */
function bundle(server: FakeApiServer): X509Certificate[] {
  const { data } = server.history.get('/configmaps', `${NAMESPACE}/ca`) as unknown as { data: Record<string, string> };
  return [...(data['ca.crt'] ?? '').matchAll(/-----BEGIN[^]+?-----END CERTIFICATE-----/g)].map(([pem]) => new X509Certificate(pem));
}

/** As a worker does: it trusts the bundle, and nothing else. */
function isTrusted(server: FakeApiServer, certificate: string): boolean {
  const leaf = new X509Certificate(certificate);
  return leaf.checkHost(NAME) === NAME && bundle(server).some((authority) => leaf.verify(authority.publicKey));
}

test('the first leader makes an authority, publishes it without its key, and the next one goes on with it', async () => {
  const cluster = await startFakeCluster();
  const identity = await leaderAt(cluster, Date.now).trust.refresh(signal);
  expect(isTrusted(cluster.server, identity.certificate)).toBe(true);
  const before = bundle(cluster.server);
  expect(JSON.stringify(cluster.server.history.get('/configmaps', `${NAMESPACE}/ca`))).not.toContain('PRIVATE KEY');
  const next = await leaderAt(cluster, Date.now).trust.refresh(signal);
  expect(bundle(cluster.server).map(String)).toEqual(before.map(String));
  expect(isTrusted(cluster.server, next.certificate)).toBe(true);
});

test('nothing due: the same certificate, and the Secret is not written', async () => {
  const cluster = await startFakeCluster();
  const { trust } = leaderAt(cluster, Date.now);
  const identity = await trust.refresh(signal);
  const { resourceVersion } = cluster.server.history.get('/secrets', `${NAMESPACE}/authorities`)?.metadata ?? {};
  expect(await trust.refresh(signal)).toBe(identity);
  expect(cluster.server.history.get('/secrets', `${NAMESPACE}/authorities`)?.metadata.resourceVersion).toBe(resourceVersion);
});

test('an authority that is replaced signs only after it was published for a while, and the old one stays trusted', async () => {
  const cluster = await startFakeCluster();
  let now = Date.now();
  const { trust } = leaderAt(cluster, () => now);
  const first = await trust.refresh(signal);
  now += ROTATION_TIMES.rotateAfterMs;
  const published = await trust.refresh(signal);
  const [old] = bundle(cluster.server);
  expect(bundle(cluster.server)).toHaveLength(2);
  expect(new X509Certificate(published.certificate).issuer).toBe(new X509Certificate(first.certificate).issuer);
  now += ROTATION_TIMES.publishMs;
  const switched = await trust.refresh(signal);
  expect(new X509Certificate(switched.certificate).issuer).not.toBe(new X509Certificate(first.certificate).issuer);
  expect(isTrusted(cluster.server, switched.certificate)).toBe(true);
  expect(bundle(cluster.server).map(String)).toContain(String(old));
  now += ROTATION_TIMES.dropAfterMs;
  await trust.refresh(signal);
  expect(bundle(cluster.server).map(String)).not.toContain(String(old));
});

test('a Secret that cannot be read is replaced, and that is told', async () => {
  const cluster = await startFakeCluster();
  const data = { 'authorities.json': Buffer.from('{"signing": 1}').toString('base64') };
  cluster.server.put('/secrets', { metadata: { name: 'authorities', namespace: NAMESPACE }, data });
  const { trust, lines } = leaderAt(cluster, Date.now);
  expect(isTrusted(cluster.server, (await trust.refresh(signal)).certificate)).toBe(true);
  expect(lines).toMatchObject([{ level: 'warn', secret: 'authorities' }]);
});

test('who does not lead writes nothing', async () => {
  const cluster = await startFakeCluster();
  await expect(leaderAt(cluster, Date.now, false).trust.refresh(signal)).rejects.toBeInstanceOf(NotLeading);
  expect(cluster.server.history.list('/secrets')).toEqual([]);
  expect(cluster.server.history.list('/configmaps')).toEqual([]);
});

test('of two that write at once, none shows what workers do not trust', async () => {
  const cluster = await startFakeCluster();
  const [one, other] = [leaderAt(cluster, Date.now), leaderAt(cluster, Date.now)];
  const ended = await Promise.allSettled([one.trust.refresh(signal), other.trust.refresh(signal)]);
  const made = ended.flatMap((result) => (result.status === 'fulfilled' ? [result.value.certificate] : []));
  expect(made.length).toBeGreaterThan(0);
  for (const certificate of made) expect(isTrusted(cluster.server, certificate)).toBe(true);
});
