import type { ImageJob } from '../../api/image-job.ts';
import { MOST_LATE_NODES, type LateState } from '../../core/cluster/late-nodes.ts';
import { JOB_UID_LABEL } from '../../core/cluster/worker-pod.ts';
import { FROZEN_LABEL } from '../image-job/frozen-config-maps.ts';
import { parseNodes, type NodeRecord } from '../image-job/node-records.ts';
import type { ClusterApi } from '../ports.ts';

/** What is to be kept of a run that has ended, for nodes that come late; null: it did not go over all nodes, or its records are gone. */
export async function readLateAfter(api: Pick<ClusterApi, 'list'>, job: ImageJob, signal: AbortSignal): Promise<LateState | null> {
  const { name, uid } = job.metadata;
  const { startTime, completionTime } = job.status ?? {};
  if (!wentOverAllNodes(job) || startTime === undefined || completionTime === undefined) return null;
  // They are there: a job is not deleted before its end is on record.
  const parts = await api.list(
    'ConfigMap',
    { labelSelector: `${JOB_UID_LABEL}=${uid},${FROZEN_LABEL}=nodes`, trim: (object) => (object['data'] ?? {}) as Record<string, string> },
    signal,
  );
  const nodes = parts.map(parseNodes);
  if (nodes.length === 0 || nodes.some(({ ok }) => !ok)) return null;
  const away = nodes
    .flatMap((part) => (part.ok ? part.value : []))
    .filter(({ record }) => wasAway(record))
    .map((node) => node.name)
    .sort();
  return {
    run: name,
    startedAt: Date.parse(startTime),
    endedAt: Date.parse(completionTime),
    away: away.slice(0, MOST_LATE_NODES),
    had: [],
  };
}

/** One that was stopped since too many nodes failed is not to go on with others; nor is one that was refused. */
function wentOverAllNodes({ status }: ImageJob): boolean {
  if (status?.phase === 'Completed') return true;
  const failed = status?.conditions?.find(({ type }) => type === 'Failed');
  return status?.phase === 'Failed' && failed?.reason === 'TooFewNodesSucceeded';
}

function wasAway(record: NodeRecord): boolean {
  return record.kind === 'skipped' && (record.reason.code === 'not-ready' || record.reason.code === 'being-deleted');
}
