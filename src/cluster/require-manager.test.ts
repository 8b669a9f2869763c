import { describe, expect, test } from 'vitest';
import { startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import { LABELS, MANAGER } from '../installation/make-manifest.ts';
import type { ClusterSite } from './cluster-site.ts';
import type { FoundInstallation } from './read-installation.ts';
import { requireManager } from './require-manager.ts';
import { refuseWithoutAutomaticRuns } from './run-request.ts';

const CALL = { signal: new AbortController().signal };

async function siteWith(deployment: { labels?: object; replicas?: number; ready?: number } | null): Promise<ClusterSite> {
  const { server, client } = await startFakeCluster();
  if (deployment !== null) {
    const { labels = LABELS, replicas = 1, ready = 1 } = deployment;
    const template = { spec: { containers: [{ name: 'manager', image: 'image-cleaner:1' }] } };
    server.put('apps/deployments', {
      metadata: { name: MANAGER, namespace: 'eraser-system', labels },
      spec: { replicas, template },
      status: { readyReplicas: ready },
    });
  }
  return { client, namespace: 'eraser-system', call: CALL };
}

describe('requireManager', () => {
  test('finds one that is ready', async () => {
    expect(await requireManager(await siteWith({}))).toMatchObject({ manager: { isOurs: true, readyReplicas: 1 } });
  });

  test.each<[string, Parameters<typeof siteWith>[0], object]>([
    ['none', null, { code: 'not-installed', message: 'Image Cleaner is not installed in the namespace eraser-system' }],
    ["Eraser's", { labels: {} }, { code: 'not-installed', message: expect.stringContaining("is Eraser's") as string }],
    ['one without replicas', { replicas: 0, ready: 0 }, { code: 'not-ready', message: expect.stringContaining('no replicas') as string }],
    ['one that is not ready', { ready: 0 }, { code: 'not-ready', message: expect.stringContaining('not ready') as string }],
  ])('names the next step where there is %s', async (_name, deployment, error) => {
    const hint = expect.stringContaining('image-cleaner cluster enable') as string;
    await expect(requireManager(await siteWith(deployment))).rejects.toMatchObject({ ...error, hint });
  });
});

describe('refuseWithoutAutomaticRuns', () => {
  const found = (configuration: string | null): FoundInstallation => ({ namespace: 'eraser-system', manager: null, configuration });
  const header = 'apiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\n';

  test.each<[string, string | null, string | null]>([
    ['no configuration', null, 'There is no configuration'],
    ['a collector that is off', `${header}components: {collector: {enabled: false}}`, 'Automatic runs are off'],
    ['a collector that is on', `${header}components: {collector: {enabled: true}}`, null],
    ['one that cannot be read: the manager knows what is in force', `${header}components: 1`, null],
  ])('%s', (_name, configuration, message) => {
    const refuse = (): void => refuseWithoutAutomaticRuns(found(configuration));
    if (message === null) expect(refuse).not.toThrow();
    else expect(refuse).toThrow(message);
  });
});
