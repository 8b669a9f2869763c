import { inject } from 'vitest';
import type { ClusterFacts, NodeFacts } from './cluster.ts';
import type { ContainerdHandle } from './containerd-handle.ts';
import { connectContainerd } from './containerd-handle.ts';
import { LabError } from './lab-error.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** In the project `cluster-api`, the path of a kubeconfig for an API server without nodes, shared by all of its files: for what needs no pod to run. */
    kubeconfig: string;
    /** In the project `cluster-api`: see `ApiServer`; null: out of reach. */
    auditLog: string | null;
    /** In the project `cluster`, three nodes, shared by all of its files. A test that breaks nodes starts a cluster of its own. */
    cluster: ClusterFacts;
    /** The clusters are of this machine. */
    hasNodeAccess: boolean;
    /** Why there is none on this machine; null: there is. */
    missingKubernetes: string | null;
  }
}

/** For `describe.skipIf(lacksKubernetes())`; the global setup has printed why. */
export function lacksKubernetes(): boolean {
  return inject('missingKubernetes') !== null;
}

/** Also true on a cluster that was given by its kubeconfig: its nodes can't be looked into. */
export function lacksNodeAccess(): boolean {
  return lacksKubernetes() || !inject('hasNodeAccess');
}

/** The container runtime of a node of the shared cluster. The caller closes its `cri`. */
export function connectNode(node: NodeFacts): ContainerdHandle {
  if (node.containerd !== null) return connectContainerd(node.containerd);
  throw new LabError({
    code: 'tool-missing',
    message: `Node ${node.name} is of a given cluster, whose container runtimes are out of reach.`,
  });
}
