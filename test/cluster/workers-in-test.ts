import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { KubeObject } from '../../src/kube/kube-object.ts';
import { ApiConnection } from '../../src/kube/api-connection.ts';
import { kubeconfigAccess } from '../../src/kube/kubeconfig-access.ts';
import { KubeClient } from '../../src/kube/kube-client.ts';
import { PODS, type ResourceIntent } from '../../src/kube/resource.ts';
import { readPodFacts } from '../../src/controller/image-job/pod-facts.ts';

/** A worker pod as its kubelet has it, with what is mounted into it. */
export interface MountedPod {
  readonly name: string;
  readonly node: string;
  readonly job: string;
  readonly tokenFile: string;
  readonly caFile: string;
}

export interface WorkersOptions {
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly account: string;
  readonly audience: string;
  readonly caConfigMap: string;
  /** The containers of one pod; gives what the remover's termination log says. */
  readonly run: (pod: MountedPod, signal: AbortSignal) => Promise<string>;
}

/** Scheduler and kubelets of nodes on paper: worker pods are bound to the node that they want, get their token, and run in this process. */
export async function startWorkers(options: WorkersOptions): Promise<{ readonly faults: readonly unknown[] }> {
  const { kubeconfig, namespace } = options;
  const access = { access: await kubeconfigAccess({ files: [kubeconfig] }), userAgent: 'image-cleaner-test', wallNow: Date.now };
  const connection = new ApiConnection(access);
  const client = new KubeClient(access);
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-workers-'));
  const stop = new AbortController();
  const faults: unknown[] = [];
  const running = new Set<Promise<void>>();
  const kubelets: Kubelets = { options, connection, client, folder, signal: stop.signal };
  const following = (async () => {
    const watch = { resourceVersion: '0', timeoutSeconds: 3_600, inactivityMs: 3_600_000, labelSelector: 'eraser.sh/job-uid' };
    for await (const event of client.watch({ resource: PODS, namespace }, watch, stop.signal)) {
      if (event.type === 'added') running.add(runPod(kubelets, event.object).catch((error: unknown) => void faults.push(error)));
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) faults.push(error);
  });
  onTestFinished(async () => {
    stop.abort(new Error('the test is over'));
    await Promise.all([following, ...running]);
    await Promise.all([client.close(), connection.close()]);
    await rm(folder, { recursive: true });
  });
  return { faults };
}

interface Kubelets {
  readonly options: WorkersOptions;
  readonly connection: ApiConnection;
  readonly client: KubeClient;
  readonly folder: string;
  readonly signal: AbortSignal;
}

async function runPod({ options, connection, client, folder, signal }: Kubelets, object: KubeObject): Promise<void> {
  const { namespace, account, audience, caConfigMap, run } = options;
  const { name, uid, node, job } = readPodFacts(object);
  const post = (intent: Omit<ResourceIntent, 'verb' | 'namespace'>, body: object): Promise<unknown> =>
    connection.json({ intent: { verb: 'create', namespace, ...intent }, method: 'POST', body, idempotent: false }, { signal });
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { apiVersion: 'v1', kind: 'Node', name: node } };
  await post({ resource: PODS, name, subresource: 'binding' }, binding);
  const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name, uid };
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [audience], boundObjectRef } };
  const accounts = { group: '', version: 'v1', plural: 'serviceaccounts', namespaced: true };
  const answer = (await post({ resource: accounts, name: account, subresource: 'token' }, request)) as { status: { token: string } };
  const configMaps = { group: '', version: 'v1', plural: 'configmaps', namespaced: true };
  const trust = await client.get({ resource: configMaps, namespace, name: caConfigMap }, { signal });
  const pod: MountedPod = {
    name,
    node: node ?? '',
    job: job.uid,
    tokenFile: join(folder, `${name}.token`),
    caFile: join(folder, `${name}.ca`),
  };
  await writeFile(pod.tokenFile, answer.status.token);
  await writeFile(pod.caFile, (trust['data'] as Record<string, string>)['ca.crt'] ?? '');
  const tell = (phase: string, state: object): Promise<unknown> => {
    const patch = { status: { phase, containerStatuses: containersOf(object).map((container) => ({ ...container, state })) } };
    return client.patchStatus({ resource: PODS, namespace, name }, { strategy: 'merge', patch }, { signal });
  };
  await tell('Running', { running: {} });
  const message = await run(pod, signal);
  await tell('Succeeded', { terminated: { exitCode: 0, message } });
}

function containersOf({ spec }: KubeObject): object[] {
  const { containers } = spec as { containers: { name: string; image: string }[] };
  return containers.map(({ name, image }) => ({ name, image, imageID: '', ready: false, restartCount: 0 }));
}
