import { JOB_OWNER_LABEL, JOB_OWNERS, LATE_NODES_LABEL, type ImageJob, parseImageJob } from '../api/image-job.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { IMAGE_JOBS } from './own-kinds.ts';

type Status = NonNullable<ImageJob['status']>;

/** A run, as its ImageJob tells. */
export interface JobFacts {
  readonly name: string;
  readonly uid: string;
  readonly mode: 'automatic' | 'manual';
  /** It is for nodes alone that were away when this run went over the cluster; null: it is for all nodes. */
  readonly lateNodesOf: string | null;
  /** `Pending`: it has not begun. */
  readonly phase: NonNullable<Status['phase']> | 'Pending';
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** Of nodes. */
  readonly desired: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skippedByReason: NonNullable<Status['skippedByReason']>;
  /** Over all nodes; null: not told. */
  readonly removedImages: number | null;
  readonly reclaimedBytes: number | null;
  /** Why it has failed or cannot begin; null: neither. */
  readonly trouble: { readonly condition: 'Failed' | 'Stalled'; readonly message: string } | null;
}

/** The jobs that are kept, newest first. A cluster without the kind has none. */
export async function listJobs({ client, call }: ClusterSite): Promise<readonly JobFacts[]> {
  const trim = (object: unknown): JobFacts | null => {
    const parsed = parseImageJob(object);
    return parsed.ok ? jobFacts(parsed.value) : null;
  };
  const { items } = await client.list({ resource: IMAGE_JOBS }, { trim }, call).catch((error: unknown) => {
    if (hasCode(error, 'not-found')) return { items: [] };
    throw error;
  });
  return items.flatMap((job) => job ?? []).toSorted((one, other) => Date.parse(other.startedAt) - Date.parse(one.startedAt));
}

export function jobFacts({ metadata, status = {} }: ImageJob): JobFacts {
  const trouble = (['Failed', 'Stalled'] as const)
    .map((condition) => ({ condition, found: status.conditions?.find(({ type }) => type === condition) }))
    .find(({ found }) => found?.status === 'True');
  return {
    name: metadata.name,
    uid: metadata.uid,
    lateNodesOf: metadata.labels[LATE_NODES_LABEL] ?? null,
    mode: metadata.labels[JOB_OWNER_LABEL] === JOB_OWNERS.manual ? 'manual' : 'automatic',
    phase: status.phase ?? 'Pending',
    startedAt: status.startTime ?? metadata.creationTimestamp,
    endedAt: status.completionTime ?? null,
    desired: status.desired ?? 0,
    succeeded: status.succeeded ?? 0,
    failed: status.failed ?? 0,
    skipped: status.skipped ?? 0,
    skippedByReason: status.skippedByReason ?? {},
    removedImages: status.removedImages ?? null,
    reclaimedBytes: status.reclaimedBytes ?? null,
    trouble: trouble === undefined ? null : { condition: trouble.condition, message: trouble.found?.message ?? '' },
  };
}
