import * as z from 'zod';
import type { ConfiguredRuntime } from './eraser-config.ts';
import { parseWith, type Parsed } from './problem.ts';

/** What counts of a Kubernetes Node for a run; all else of it is let go of, since clusters have thousands. */
export interface ClusterNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taintKeys: readonly string[];
  /** Empty: none. */
  readonly providerId: string;
  readonly isBeingDeleted: boolean;
  /** The condition `Ready`; null: the node has none yet. */
  readonly ready: NodeCondition | null;
  readonly isUnderDiskPressure: boolean;
  /** `linux`, `windows`; empty: not said. */
  readonly operatingSystem: string;
  /** `containerd://1.7.27`; empty: not said. */
  readonly containerRuntimeVersion: string;
  readonly kubeletVersion: string;
}

export interface NodeCondition {
  /** `True`, `False`, `Unknown`. */
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export type NodeRuntime = ConfiguredRuntime['name'];

/** A node that takes part in a run. */
export interface ParticipatingNode {
  readonly name: string;
  readonly runtime: NodeRuntime;
  /** The kubelet then admits nothing but critical pods. */
  readonly isUnderDiskPressure: boolean;
}

/** Why a node takes no part in a run. */
export type NodeSkipReason =
  /** `sign`: what says so, such as the label `type=virtual-kubelet`. */
  | { readonly code: 'virtual'; readonly sign: string }
  | { readonly code: 'windows' }
  /** Excluded by `selector`, or included by none of `selectors`. */
  | { readonly code: 'filtered'; readonly type: 'exclude'; readonly selector: string }
  | { readonly code: 'filtered'; readonly type: 'include'; readonly selectors: readonly string[] }
  | { readonly code: 'being-deleted' }
  | { readonly code: 'not-ready'; readonly condition: NodeCondition | null }
  | { readonly code: 'unknown-runtime'; readonly containerRuntimeVersion: string }
  /** So many of all that were to take part had failed that its run began with no others. */
  | { readonly code: 'not-started'; readonly failed: number; readonly nodes: number };

export interface SkippedNode {
  readonly name: string;
  readonly reason: NodeSkipReason;
}

const DISK_PRESSURE_TAINT = 'node.kubernetes.io/disk-pressure';

const nodeSchema = z
  .object({
    metadata: z.object({
      name: z.string().min(1),
      labels: z.record(z.string(), z.string()).nullish(),
      deletionTimestamp: z.string().nullish(),
    }),
    spec: z.object({ providerID: z.string().nullish(), taints: z.array(z.object({ key: z.string() })).nullish() }).nullish(),
    status: z
      .object({
        conditions: z
          .array(z.object({ type: z.string(), status: z.string(), reason: z.string().nullish(), message: z.string().nullish() }))
          .nullish(),
        nodeInfo: z
          .object({
            operatingSystem: z.string().nullish(),
            containerRuntimeVersion: z.string().nullish(),
            kubeletVersion: z.string().nullish(),
          })
          .nullish(),
      })
      .nullish(),
  })
  .transform(({ metadata, spec, status }): ClusterNode => {
    const taintKeys = (spec?.taints ?? []).map(({ key }) => key);
    const condition = (type: string) => status?.conditions?.find((found) => found.type === type);
    const ready = condition('Ready');
    return {
      name: metadata.name,
      labels: metadata.labels ?? {},
      taintKeys,
      providerId: spec?.providerID ?? '',
      isBeingDeleted: typeof metadata.deletionTimestamp === 'string',
      ready: ready === undefined ? null : { status: ready.status, reason: ready.reason ?? '', message: ready.message ?? '' },
      isUnderDiskPressure: condition('DiskPressure')?.status === 'True' || taintKeys.includes(DISK_PRESSURE_TAINT),
      operatingSystem: status?.nodeInfo?.operatingSystem ?? '',
      containerRuntimeVersion: status?.nodeInfo?.containerRuntimeVersion ?? '',
      kubeletVersion: status?.nodeInfo?.kubeletVersion ?? '',
    };
  });

/** A Node as the API server gives it. */
export function parseClusterNode(raw: unknown): Parsed<ClusterNode> {
  return parseWith(nodeSchema, raw);
}
