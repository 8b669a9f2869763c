import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { isRunningSince, startTicks } from './processes.ts';

const stateSchema = z.object({
  /** The process that the cluster ends with. */
  pid: z.number(),
  startTicks: z.string(),
  upSince: z.iso.datetime(),
  kubeconfig: z.string(),
  kubectl: z.string(),
  logs: z.string(),
  nodes: z.array(z.string()),
});

/** What is known of the machine's cluster, the one that `npm run cluster up` makes. */
export type ClusterState = z.infer<typeof stateSchema>;

/** `/run`, since a reboot ends the cluster. */
export function clusterStateFile(env: NodeJS.ProcessEnv = process.env): string {
  return env['IMAGE_CLEANER_CLUSTER_STATE'] ?? '/run/image-cleaner-cluster.json';
}

export type ClusterCondition =
  | { readonly kind: 'up'; readonly state: ClusterState }
  /** Its process was killed, so that it could remove nothing. */
  | { readonly kind: 'dead' }
  | { readonly kind: 'down' };

export function readClusterState(file: string): ClusterCondition {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch {
    return { kind: 'down' };
  }
  const state = stateSchema.parse(JSON.parse(content));
  return isRunningSince(state.pid, state.startTicks) ? { kind: 'up', state } : { kind: 'dead' };
}

export function writeClusterState(file: string, state: Omit<ClusterState, 'pid' | 'startTicks'>): void {
  const own = { pid: process.pid, startTicks: startTicks(process.pid) ?? '' };
  writeFileSync(file, JSON.stringify({ ...own, ...state } satisfies ClusterState), { mode: 0o600 });
}

export function removeClusterState(file: string): void {
  rmSync(file, { force: true });
}
