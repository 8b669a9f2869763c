import { onTestFinished } from 'vitest';
import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { NODES, PODS } from '../../src/kube/resource.ts';

/** Nodes that an API server without kubelets only knows by name: what becomes of their pods, the test says. */
export interface NodeSpec {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ready?: boolean;
  readonly cordoned?: boolean;
  readonly runtime?: string;
}

export interface PaperNodes {
  /** Ends each pod so long after it was made, from now on. */
  endPodsAfter(namespace: string, ms: number): void;
  remove(name: string): Promise<void>;
  setReady(name: string, ready: boolean): Promise<void>;
}

/** Nodes that are there for longer than one test. */
export interface OpenPaperNodes extends PaperNodes {
  close(): Promise<void>;
}

export async function makePaperNodes(kubeconfig: string, specs: readonly NodeSpec[]): Promise<PaperNodes> {
  const nodes = await openPaperNodes(kubeconfig, specs);
  onTestFinished(() => nodes.close());
  return nodes;
}

export async function openPaperNodes(kubeconfig: string, specs: readonly NodeSpec[]): Promise<OpenPaperNodes> {
  const { client } = await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-test', wallNow: Date.now });
  const stop = new AbortController();
  const call = { signal: new AbortController().signal };
  const running: Promise<void>[] = [];
  for (const spec of specs) await makeNode(client, spec);
  return {
    close: async () => {
      stop.abort();
      await Promise.all(running);
      for (const { name } of specs) await client.delete({ resource: NODES, name }, {}, call);
      await client.close();
    },
    endPodsAfter: (namespace, ms) => running.push(endPods(client, { namespace, ms }, stop.signal)),
    remove: async (name) => {
      await client.delete({ resource: NODES, name }, {}, call);
    },
    setReady: (name, ready) => patchReady(client, name, { ready }),
  };
}

async function makeNode(
  client: KubeClient,
  { name, labels = {}, ready = true, cordoned = false, runtime = 'containerd://2.2.3' }: NodeSpec,
): Promise<void> {
  const call = { signal: new AbortController().signal };
  await client.create({ resource: NODES }, { metadata: { name, labels }, spec: { unschedulable: cordoned } }, call);
  const nodeInfo = { containerRuntimeVersion: runtime, operatingSystem: 'linux', kubeletVersion: 'v1.35.4' };
  await patchReady(client, name, { ready, nodeInfo });
}

async function patchReady(client: KubeClient, name: string, { ready, ...status }: { ready: boolean; nodeInfo?: object }): Promise<void> {
  const condition = {
    type: 'Ready',
    status: ready ? 'True' : 'False',
    reason: ready ? 'KubeletReady' : 'KubeletNotReady',
    message: 'on paper',
  };
  const patch = { status: { ...status, conditions: [condition] } };
  await client.patchStatus({ resource: NODES, name }, { strategy: 'merge', patch }, { signal: new AbortController().signal });
}

async function endPods(
  client: KubeClient,
  { namespace, ms }: { readonly namespace: string; readonly ms: number },
  signal: AbortSignal,
): Promise<void> {
  const collection = { resource: PODS, namespace };
  const options = { resourceVersion: '0', timeoutSeconds: 3_600, inactivityMs: 3_600_000 };
  const ending = new Set<Promise<void>>();
  try {
    for await (const event of client.watch(collection, options, signal)) {
      if (event.type !== 'added') continue;
      const { name } = event.object.metadata;
      const end = new Promise((resolve) => setTimeout(resolve, ms)).then(async () => {
        const patch = { status: { phase: 'Succeeded' } };
        await client.patchStatus({ ...collection, name }, { strategy: 'merge', patch }, { signal }).catch(() => undefined);
      });
      ending.add(end);
    }
  } catch {
    // The test is over.
  }
  await Promise.all(ending);
}
