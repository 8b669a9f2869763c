import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlPlane } from '../../lab/control-plane.ts';
import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { startTcpGate, type TcpGate } from './tcp-gate.ts';

export async function connectClient(kubeconfig: string): Promise<KubeClient> {
  return (await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-test', wallNow: Date.now })).client;
}

/** A client whose way to the API server goes through a gate. */
export async function connectGated(controlPlane: ControlPlane): Promise<{ readonly gated: KubeClient; readonly gate: TcpGate }> {
  const gate = await startTcpGate(Number(new URL(controlPlane.url).port));
  const through = join(controlPlane.place.root, 'kubeconfig-through-gate');
  const text = await readFile(controlPlane.kubeconfig, 'utf8');
  await writeFile(through, text.replaceAll(controlPlane.url, `https://127.0.0.1:${gate.port}`), { mode: 0o600 });
  return { gated: await connectClient(through), gate };
}
