import dns from 'node:dns';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { COORDINATOR } from '../../src/api/coordinator/coordinator-objects.ts';
import { readPodFacts } from '../../src/controller/image-job/pod-facts.ts';
import { CoordinatorClient } from '../../src/coordinator/client/coordinator-client.ts';
import type { NodeRuntime } from '../../src/engine/ports.ts';
import { SERVICE_ACCOUNTS } from '../../src/installation/permissions.ts';
import { ApiConnection } from '../../src/kube/api-connection.ts';
import { KubeClient } from '../../src/kube/kube-client.ts';
import type { KubeObject } from '../../src/kube/kube-object.ts';
import { kubeconfigAccess } from '../../src/kube/kubeconfig-access.ts';
import { PODS } from '../../src/kube/resource.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import type { NodeResult } from '../../src/worker/ports.ts';
import { shareScans } from '../../src/worker/share-scans.ts';
import { analysisOf, makeContents, SCANNER_VERSION, type NodeContent } from '../fleet.ts';
import { simulatedWorkersSchema, WORKERS_CA, type WorkersTally } from '../simulated-workers.ts';

/**
 * The worker pods of simulated nodes: each, once it runs, gets a token of its own as from its kubelet, does over the coordinator's API what a worker pod does,
 * with images that are read in no time and a node that keeps all of them, and ends.
 */
const { kubeconfig, namespace, port, nodes, folder } = simulatedWorkersSchema.parse(
  JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')),
);
const contents = new Map(makeContents(nodes).map((content) => [content.name, content]));
const access = { access: await kubeconfigAccess({ files: [kubeconfig] }), userAgent: 'image-cleaner-bench', wallNow: Date.now };
const connection = new ApiConnection(access);
const client = new KubeClient(access);
const { signal } = new AbortController();
const tally = { ended: 0, reads: 0, latencies: [] as number[], faults: [] as string[] } satisfies WorkersTally;

const host = `${COORDINATOR.service}.${namespace}.svc`;
const lookup = dns.lookup as (name: string, ...rest: unknown[]) => void;
// In the place of the cluster's DNS and its Service.
Object.assign(dns, { lookup: (name: string, ...rest: unknown[]) => lookup(name === host ? '127.0.0.1' : name, ...rest) });

const trust = await client.get(
  { resource: { group: '', version: 'v1', plural: 'configmaps', namespaced: true }, namespace, name: COORDINATOR.caConfigMap },
  { signal },
);
const caFile = join(folder, WORKERS_CA);
await writeFile(caFile, (trust['data'] as Record<string, string>)['ca.crt'] ?? '');

async function tokenOf({ name, uid }: { readonly name: string; readonly uid: string }): Promise<string> {
  const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name, uid };
  const spec = { audiences: [COORDINATOR.audience], boundObjectRef };
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  const accounts = { group: '', version: 'v1', plural: 'serviceaccounts', namespaced: true };
  const intent = { verb: 'create', resource: accounts, namespace, name: SERVICE_ACCOUNTS.workers, subresource: 'token' } as const;
  const answer = (await connection.json({ intent, method: 'POST', body, idempotent: false }, { signal })) as { status: { token: string } };
  const file = join(folder, `${name}.token`);
  await writeFile(file, answer.status.token);
  return file;
}

async function timed<Answer>(call: Promise<Answer>): Promise<Answer> {
  const started = performance.now();
  const answer = await call;
  tally.latencies.push(performance.now() - started);
  return answer;
}

const NO_RUNTIME = { version: () => Promise.reject(new Error('no image is doubted')) } as unknown as NodeRuntime;

async function work(coordinator: CoordinatorClient, { inventory, inUse }: NodeContent): Promise<void> {
  const startedAt = Date.now();
  const { scanPolicy } = await timed(coordinator.readTask(signal));
  await timed(coordinator.reportInventory({ inventory, inUse: new Set(inUse), filesystem: null }, signal));
  if (scanPolicy !== null) {
    const { results } = await shareScans({
      reader: {
        unsupportedBecause: null,
        probe: () => Promise.resolve({ name: 'trivy', version: SCANNER_VERSION }),
        read: ({ imageId }) => {
          tally.reads += 1;
          return Promise.resolve({ kind: 'read', analysis: analysisOf(imageId) });
        },
        close: () => Promise.resolve(),
      },
      coordinator,
      runtime: NO_RUNTIME,
      images: inventory.images,
      limits: { concurrency: 2, perImageTimeoutMs: 600_000, totalTimeoutMs: 3_600_000 },
      timing: SYSTEM_TIMING,
      onEvent: () => undefined,
      signal,
    });
    const unscanned = [...results.values()].filter(({ kind }) => kind !== 'scanned').length;
    if (unscanned > 0) throw new Error(`${String(unscanned)} images have no verdict`);
  }
  await timed(coordinator.listPendingPods(signal));
  await timed(coordinator.reportResult(resultOf(inventory, startedAt), signal));
}

function resultOf({ runtime, images }: NodeContent['inventory'], startedAt: number): NodeResult {
  return {
    startedAt,
    endedAt: Date.now(),
    mode: 'automatic',
    state: 'completed',
    message: null,
    runtime,
    scanner: null,
    summary: null,
    filesystem: null,
    decisions: images.map(({ id, repoTags, repoDigests, sizeBytes }) => ({
      imageId: id,
      repoTags,
      repoDigests,
      sizeBytes,
      estimatedBytes: 0,
      ruling: { outcome: 'keep', reason: { code: 'compliant', ignoredFindings: null } },
      removal: null,
    })),
  };
}

async function runPod(pod: KubeObject): Promise<void> {
  const { name, uid, node, job } = readPodFacts(pod);
  const content = contents.get(node ?? '');
  if (node === null || content === undefined) throw new Error(`${name} runs on a node that is not known`);
  const coordinator = new CoordinatorClient({
    url: `https://${host}:${String(port)}`,
    job: job.uid,
    node,
    tokenFile: await tokenOf({ name, uid }),
    caFile,
    timing: SYSTEM_TIMING,
    wallNow: Date.now,
    giveUpAfterMs: null,
    onRetry: () => undefined,
  });
  try {
    await work(coordinator, content);
  } finally {
    coordinator.close();
  }
  const { containers } = pod['spec'] as { readonly containers: readonly { readonly name: string; readonly image: string }[] };
  const state = { terminated: { exitCode: 0, reason: 'Completed' } };
  const containerStatuses = containers.map((container) => ({
    name: container.name,
    image: container.image,
    imageID: '',
    ready: false,
    restartCount: 0,
    state,
  }));
  const patch = { status: { phase: 'Succeeded', containerStatuses } };
  await client.patchStatus({ resource: PODS, namespace, name }, { strategy: 'merge', patch }, { signal });
  tally.ended += 1;
}

process.on('SIGUSR2', () => void process.stdout.write(`${JSON.stringify(tally)}\n`));
process.once('SIGTERM', () => process.exit());
const begun = new Set<string>();
const AGAIN_MS = 200;
const watch = { resourceVersion: '0', timeoutSeconds: 3_600, inactivityMs: 3_600_000, labelSelector: 'eraser.sh/job-uid' };
// Of the copy that the API server has, all pods come first, also after it was away.
for (;;) {
  try {
    for await (const event of client.watch({ resource: PODS, namespace }, watch, signal)) {
      if (event.type === 'added' || event.type === 'modified') runIfNew(event.object);
    }
  } catch {
    await sleep(AGAIN_MS);
  }
}

function runIfNew(pod: KubeObject): void {
  const { status, metadata } = pod;
  if ((status as { readonly phase?: string } | undefined)?.phase !== 'Running' || begun.has(metadata.uid ?? '')) return;
  begun.add(metadata.uid ?? '');
  runPod(pod).catch((error: unknown) => tally.faults.push(`${metadata.name}: ${String(error)}`));
}
