import { afterAll, beforeAll, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { addRepoDigest, pinImage, tagImage } from '../../lab/images.ts';
import { AUTOMATIC, SOON, connectSite, lacksCluster, type InspectedNode, type Installation } from './site.ts';
import { endOfLife, healthy, library, runnable, vulnerable } from './sample-images.ts';

const WORKLOADS = 'shop';

/** An automatic run as an operator gets it who applies the manifest, on nodes that have images of every kind. */
describe.skipIf(lacksCluster())('an automatic run', () => {
  let site: Installation;
  let [node, other, third]: InspectedNode[] = [];

  beforeAll(async () => {
    site = await connectSite();
    [node, other, third] = site.nodes;
    if (node === undefined || other === undefined || third === undefined) throw new Error('not three nodes');
    const byDigest = vulnerable(library('by-digest:1'));
    await node.import([
      await runnable(library('running:1')),
      await runnable(library('stopped:1')),
      await runnable(library('about-to-start:1')),
      vulnerable(library('pinned:1')),
      vulnerable('ghcr.io/acme/billing:1'),
      vulnerable(library('all-tags:1')),
      vulnerable(library('all-tags-too:1')),
      vulnerable(library('one-tag:1')),
      vulnerable(library('one-tag:2')),
      byDigest,
      vulnerable(library('bare-name:1')),
      vulnerable(library('bare-name:2')),
      vulnerable(library('of-cronjob:1')),
      vulnerable(library('of-zero:1')),
      vulnerable(library('two-tags:1')),
      vulnerable(library('vulnerable:1')),
      endOfLife(library('end-of-life:1')),
      healthy(library('healthy:1')),
    ]);
    await addRepoDigest(node.containerd, byDigest, library('by-digest'));
    await tagImage(node.containerd, library('two-tags:1'), library('two-tags:2'));
    await pinImage(node.containerd, library('pinned:1'));
    await other.import([vulnerable(library('vulnerable:1')), vulnerable(library('of-cronjob:1')), healthy(library('healthy:2'))]);
    await makeWorkloads(site, node.name);
    await site.do(['create', 'namespace', site.namespace]);
    await site.exclude('registries', { 'a.json': ['ghcr.io/acme/*'], 'b.json': [`${library('all-tags')}:*`] });
    await site.exclude('images', { 'images.json': [library('one-tag:1'), byDigest.manifestDigest, 'bare-name'] });
    await site.install(AUTOMATIC);
    await site.untilJobsEnd();
  }, 300_000);

  afterAll(async () => {
    await site.do(['delete', 'namespace', WORKLOADS, '--wait']);
    await site.remove();
    await site.close();
  });

  const sees = (
    name: string,
    check: (nodes: { node: InspectedNode; other: InspectedNode; third: InspectedNode }) => Promise<void>,
  ): void => {
    test(name, async () => {
      onTestFailed(async () => void process.stderr.write(await site.logs()));
      if (node === undefined || other === undefined || third === undefined) throw new Error('not three nodes');
      await check({ node, other, third });
    });
  };

  sees('begins at once, and on every node', async () => {
    const [job] = await site.jobs();
    expect(job?.status).toMatchObject({ phase: 'Completed', desired: 3, succeeded: 3, failed: 0, skipped: 0 });
    expect(job?.metadata.labels).toMatchObject({ 'eraser.sh/job-owner': 'imagecollector' });
  });

  sees('only unused images that are vulnerable or past their end of life go', async ({ node, other, third }) => {
    expect(await node.tags()).toEqual(
      [
        library('about-to-start:1'),
        library('all-tags:1'),
        // By all-tags:*, as Eraser matches it.
        library('all-tags-too:1'),
        library('bare-name:1'),
        library('bare-name:2'),
        library('by-digest:1'),
        library('healthy:1'),
        library('of-cronjob:1'),
        library('of-zero:1'),
        library('one-tag:1'),
        library('pinned:1'),
        library('running:1'),
        library('stopped:1'),
        'ghcr.io/acme/billing:1',
      ].sort(),
    );
    expect(await other.tags()).toEqual([library('healthy:2'), library('of-cronjob:1')]);
    expect(await third.tags()).toEqual([]);
  });

  sees('what the job tells is what went', async () => {
    const [job] = await site.jobs();
    // one-tag:2, two-tags, vulnerable:1 twice, end-of-life:1
    expect(job?.status).toMatchObject({ removedImages: 5 });
    expect(job?.status?.reclaimedBytes).toBeGreaterThan(0);
  });

  sees('its own images, those of its pods, stay', async ({ node }) => {
    const { image, scannerImage } = inject('prepared');
    const listed = await node.containerd.cri.images.listImages({});
    expect(listed.images.flatMap(({ repoTags }) => repoTags)).toEqual(expect.arrayContaining([image, scannerImage]));
  });

  sees('its worker pods are gone when the run is over', async () => {
    await vi.waitFor(async () => expect(await site.workerPods()).toEqual([]), SOON);
  });

  sees('no second run begins', async () => {
    await site.do(['delete', 'pods', '-n', site.namespace, '-l', 'control-plane=controller-manager', '--wait']);
    await site.untilReady();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(await site.jobs()).toHaveLength(1);
  });

  sees('what stayed only as Eraser matches an exclusion is told, and goes in the next run', async ({ node }) => {
    const told = (await site.events()).filter(({ reason }) => reason === 'ExclusionNarrower');
    expect(told.map(({ type, note }) => [type, note])).toEqual([
      [
        'Warning',
        expect.stringContaining(`"${library('all-tags')}:*" in registries/b.json keeps ${library('all-tags-too:1')} only as Eraser`),
      ],
    ]);
    await site.do(['annotate', '-n', site.namespace, 'configmap/eraser-manager-config', 'eraser.sh/run-requested=second']);
    await site.untilJobsEnd(2);
    const tags = await node.tags();
    expect(tags).not.toContain(library('all-tags-too:1'));
    expect(tags).toContain(library('all-tags:1'));
  });
});

/** A running and a stopped pod, one whose main container is yet to come, a CronJob, and a Deployment of no replicas. */
async function makeWorkloads(site: Installation, nodeName: string): Promise<void> {
  await site.do(['create', 'namespace', WORKLOADS]);
  await vi.waitFor(() => site.do(['get', 'serviceaccount', '-n', WORKLOADS, 'default']), SOON);
  const container = (name: string, image: string, more: object = {}): object => ({
    name,
    image: library(image),
    imagePullPolicy: 'Never',
    ...more,
  });
  const pod = (name: string, spec: object): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: WORKLOADS },
    spec: { nodeName, restartPolicy: 'Never', terminationGracePeriodSeconds: 1, ...spec },
  });
  const template = (image: string): object => ({
    metadata: { labels: { app: image.replace(/:.*/, '') } },
    spec: { restartPolicy: 'Always', containers: [container('main', image)] },
  });
  const items = [
    pod('running', { containers: [container('main', 'running:1')] }),
    pod('stopped', { containers: [container('main', 'stopped:1', { command: ['/bin/busybox', 'true'] })] }),
    pod('about-to-start', {
      initContainers: [container('first', 'running:1')],
      containers: [container('main', 'about-to-start:1')],
    }),
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'nightly', namespace: WORKLOADS },
      spec: {
        schedule: '0 3 1 1 *',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [container('main', 'of-cronjob:1')] } } } },
      },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'of-zero', namespace: WORKLOADS },
      spec: { replicas: 0, selector: { matchLabels: { app: 'of-zero' } }, template: template('of-zero:1') },
    },
  ];
  await site.do(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items });
  await site.do(['wait', '-n', WORKLOADS, '--for=jsonpath={.status.phase}=Running', '--timeout=60s', 'pod/running']);
  await site.do(['wait', '-n', WORKLOADS, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s', 'pod/stopped']);
  await site.do([
    'wait',
    '-n',
    WORKLOADS,
    '--for=jsonpath={.status.initContainerStatuses[0].started}=true',
    '--timeout=60s',
    'pod/about-to-start',
  ]);
}
