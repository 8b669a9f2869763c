import * as z from 'zod';
import type { ClusterFacts } from './cluster.ts';
import type { OnProgress } from './debian-tools.ts';
import { onPath } from './debian-tools.ts';
import { ensureKubernetes } from './kubernetes.ts';
import { runCommand } from './run-command.ts';

const nodesSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ addresses: z.array(z.object({ type: z.string(), address: z.string() })) }),
    }),
  ),
});

/** The facts of a cluster that is not the lab's. Its nodes' container runtimes are out of reach. */
export async function describeGivenCluster(kubeconfig: string, onProgress: OnProgress): Promise<ClusterFacts> {
  const kubectl = onPath('kubectl') ?? (await ensureKubernetes(onProgress)).kubectl;
  const output = await runCommand(kubectl, ['--kubeconfig', kubeconfig, 'get', 'nodes', '--output', 'json']);
  const nodes = nodesSchema.parse(JSON.parse(output)).items.map(({ metadata, status }) => ({
    name: metadata.name,
    address: status.addresses.find(({ type }) => type === 'InternalIP')?.address ?? '',
    containerd: null,
  }));
  return { kubeconfig, kubectl, auditLog: null, nodes };
}
