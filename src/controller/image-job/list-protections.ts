import type { Parsed, Problem } from '../../api/problem.ts';
import { parseWorkloadReference, type WorkloadKind, type WorkloadReference } from '../../api/workload-references.ts';
import { mayProtect, planProtections } from '../../core/cluster/protections.ts';
import type { Protection } from '../../core/plan-facts.ts';
import { formatProblems } from '../configuration/inputs.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';

export type ListedProtections =
  | { readonly ok: true; readonly protections: readonly Protection[] }
  /** A workload cannot be read: what it would protect is not known. */
  | { readonly ok: false; readonly message: string };

interface Listing {
  readonly kind: WorkloadKind;
  readonly labelSelector?: string;
}

/** What protects whatever the configuration says. */
const ALWAYS: readonly Listing[] = [
  { kind: 'CronJob' },
  { kind: 'Job' },
  { kind: 'Deployment' },
  { kind: 'StatefulSet' },
  { kind: 'DaemonSet' },
];
/** Those of Deployments, ten times as many, bear this label. */
const STANDALONE_REPLICA_SETS: Listing = { kind: 'ReplicaSet', labelSelector: '!pod-template-hash' };
const REVISIONS: readonly Listing[] = [{ kind: 'ReplicaSet' }, { kind: 'ControllerRevision' }];

/**
 * What the workloads of the cluster want again (rule 5), as they are now. Of each page is kept what protects something, and no more.
 * Rejects when a kind cannot be listed.
 */
export async function listProtections(
  api: Pick<ClusterApi, 'list'>,
  keptRevisions: number,
  signal: AbortSignal,
): Promise<ListedProtections> {
  const workloads: WorkloadReference[] = [];
  const problems: Problem[] = [];
  for (const { kind, ...selector } of [...ALWAYS, ...(keptRevisions > 0 ? REVISIONS : [STANDALONE_REPLICA_SETS])]) {
    const read = await api.list(kind, { ...selector, trim: (object) => readWorkload(kind, object, keptRevisions) }, signal);
    for (const found of read) {
      if (found === null) continue;
      if (found.ok) workloads.push(found.value);
      else problems.push(...found.errors);
    }
  }
  if (problems.length > 0) return { ok: false, message: formatProblems(problems) };
  return { ok: true, protections: planProtections(workloads, keptRevisions) };
}

/** null: it protects nothing. */
function readWorkload(kind: WorkloadKind, object: RawObject, keptRevisions: number): Parsed<WorkloadReference> | null {
  const parsed = parseWorkloadReference(kind, object);
  if (parsed.ok) return parsed.value !== null && mayProtect(parsed.value, keptRevisions) ? { ok: true, value: parsed.value } : null;
  const { namespace, name } = object.metadata;
  const of = `${kind} ${String(namespace)}/${name}`;
  return { ok: false, errors: parsed.errors.map(({ path, message }) => ({ path: `${of}: ${path}`, message })) };
}
