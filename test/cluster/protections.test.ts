import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { SERVICE_ACCOUNTS } from '../../src/installation/permissions.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { SYSTEM_TIMING, type Timing } from '../../src/platform/timing.ts';
import { startManagerWith } from '../fakes/manager-in-fake-cluster.ts';
import { AUTOMATIC, makeSite, type ManagerSite, SOON } from './manager-in-test.ts';
import { makePaperNodes } from './nodes-in-test.ts';
import { workerReference } from './worker-in-test.ts';

/** For which an hour is over in three minutes: a run that cannot begin is looked at once a minute. */
const QUICK: Timing = {
  ...SYSTEM_TIMING,
  now: () => SYSTEM_TIMING.now() * 20,
  sleep: (ms, signal) => SYSTEM_TIMING.sleep(ms / 20, signal),
};

/** As the service account of the manager, with exactly the generated roles. */
async function managerClient(site: ManagerSite): Promise<KubeClient> {
  const token = (await site.done(['create', 'token', '-n', site.namespace, SERVICE_ACCOUNTS.manager])).trim();
  const config = JSON.parse(await site.done(['config', 'view', '--raw', '--flatten', '-o', 'json'])) as { users: object[] };
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-account-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, JSON.stringify({ ...config, users: config.users.map((user) => ({ ...user, user: { token } })) }), {
    mode: 0o600,
  });
  return (await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-test', wallNow: Date.now })).client;
}

const template = (image: string): object => ({
  metadata: { labels: { app: 'x' } },
  spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }] },
});
const running = (image: string): object => ({ metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image }] } });

async function makeWorkloads(site: ManagerSite): Promise<void> {
  const { namespace } = site;
  const make = (kind: string, name: string, spec: object, metadata: object = {}): Promise<void> => {
    const apiVersion = kind.endsWith('Job') ? 'batch/v1' : 'apps/v1';
    return site.apply({ apiVersion, kind, metadata: { name, namespace, ...metadata }, spec });
  };
  const selector = { matchLabels: { app: 'x' } };
  await make('CronJob', 'nightly', {
    schedule: '0 3 * * *',
    suspend: true,
    jobTemplate: { spec: { template: template('r/cron:1') } },
  });
  await make('Job', 'migrate', { template: template('r/job:1') });
  await make('Deployment', 'asleep', { replicas: 0, selector, template: running('r/asleep:1') });
  await make('Deployment', 'web', { replicas: 2, selector, template: running('r/web:3') });
  await make('StatefulSet', 'db', { replicas: 0, serviceName: 'db', selector, template: running('r/db:1') });
  await make('ReplicaSet', 'alone', { replicas: 0, selector, template: running('r/alone:1') });
  const { metadata } = JSON.parse(await site.done(['get', 'deployment', '-n', namespace, 'web', '-o', 'json'])) as {
    metadata: { uid: string };
  };
  const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: metadata.uid, controller: true }];
  for (const revision of [1, 2, 3]) {
    const labels = { 'pod-template-hash': String(revision) };
    const annotations = { 'deployment.kubernetes.io/revision': String(revision) };
    const spec = { replicas: revision === 3 ? 2 : 0, selector, template: running(`r/web:${String(revision)}`) };
    await make('ReplicaSet', `web-${String(revision)}`, spec, { labels, annotations, ownerReferences });
  }
}

/** Of the site's own workloads, in the frozen configmaps of its run. */
async function frozenImages(site: ManagerSite): Promise<string[]> {
  const { items } = JSON.parse(
    await site.done(['get', 'configmaps', '-n', site.namespace, '-l', 'eraser.sh/frozen=protections', '-o', 'json']),
  ) as {
    items: { data: { 'protections.json': string } }[];
  };
  const parts = items.map(
    ({ data }) => JSON.parse(data['protections.json']) as { protections: { object: { namespace: string }; imageReferences: string[] }[] },
  );
  const own = parts.flatMap(({ protections }) => protections).filter(({ object }) => object.namespace === site.namespace);
  return own.flatMap(({ imageReferences }) => imageReferences).sort();
}

describe.skipIf(lacksNodeAccess())('an automatic run, by the rights of the manager', () => {
  test.each([
    [0, ['r/alone:1', 'r/asleep:1', 'r/cron:1', 'r/db:1', 'r/job:1']],
    [1, ['r/alone:1', 'r/asleep:1', 'r/cron:1', 'r/db:1', 'r/job:1', 'r/web:2']],
  ])('keeps what the workloads of the cluster want again, and of earlier revisions %d', async (keptRevisions, expected) => {
    const site = await makeSite(inject('kubeconfig'), workerReference('paper'));
    const nodes = await makePaperNodes(inject('kubeconfig'), [{ name: 'paper-a' }, { name: 'paper-b' }]);
    nodes.endPodsAfter(site.namespace, 100);
    await makeWorkloads(site);
    await site.configure({ ...AUTOMATIC, manager: { ...AUTOMATIC.manager, keptRevisions } });
    startManagerWith(await managerClient(site), site.namespace);
    await vi.waitFor(async () => expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(['Completed']), SOON);
    expect((await site.jobs())[0]?.status).toMatchObject({ succeeded: 2, failed: 0 });
    expect(await frozenImages(site)).toEqual(expected);
  });

  test('does not begin while one kind may not be listed, says which, and begins once it may', async () => {
    const site = await makeSite(inject('kubeconfig'), workerReference('paper'));
    const nodes = await makePaperNodes(inject('kubeconfig'), [{ name: 'paper-a' }]);
    nodes.endPodsAfter(site.namespace, 100);
    const role = JSON.parse(await site.done(['get', 'clusterrole', 'eraser-manager-role', '-o', 'json'])) as {
      rules: { resources?: string[] }[];
    };
    const less = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'eraser-manager-role' } };
    await site.apply({ ...less, rules: role.rules.filter(({ resources }) => resources?.includes('statefulsets') !== true) });
    await site.configure(AUTOMATIC);
    startManagerWith(await managerClient(site), site.namespace, { timing: QUICK });
    await vi.waitFor(async () => {
      const [job] = await site.jobs();
      expect(job?.status?.conditions?.find(({ type }) => type === 'Stalled')).toMatchObject({
        status: 'True',
        reason: 'WorkloadsUnreadable',
        message: expect.stringContaining('Grant the verb "list" on "statefulsets" of API group "apps"') as string,
      });
      expect(job?.status?.phase).toBeUndefined();
    }, SOON);
    await site.apply({ ...less, rules: role.rules });
    await vi.waitFor(async () => expect((await site.jobs())[0]?.status?.phase).toBe('Completed'), SOON);
    expect((await site.jobs())[0]?.status?.conditions?.map(({ type }) => type)).not.toContain('Stalled');
  });
});
