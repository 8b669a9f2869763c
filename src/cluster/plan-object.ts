import * as z from 'zod';
import type { ApiStatus } from '../kube/api-status.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { ClusterSite } from './cluster-site.ts';
import { diffValues, formatChange, type ValueChange } from './diff-values.ts';
import { describeObject, type InstallationObject } from './installation-objects.ts';

/** Who owns the fields that `enable` sets. */
export const FIELD_MANAGER = 'image-cleaner';

/** What becomes of an object. */
export interface ObjectPlan {
  readonly of: InstallationObject;
  /** `replace`: it is deleted, and made anew. */
  readonly action: 'create' | 'change' | 'keep' | 'replace';
  readonly changes: readonly ValueChange[];
  /** Fields that others set to other values: `kubectl: .spec.replicas`. */
  readonly takenOver: readonly string[];
}

/** Asks the API server what an apply would change; nothing is stored. */
export async function planObject({ client, call }: ClusterSite, of: InstallationObject): Promise<ObjectPlan> {
  const { reference, object } = of;
  const live = await client.find(reference, call);
  const apply = (force: boolean): Promise<KubeObject> =>
    client.patch(reference, { strategy: 'apply', object, fieldManager: FIELD_MANAGER, force, dryRun: true }, call);
  const takenOver: string[] = [];
  const applied = await apply(false).catch((error: unknown) => {
    if (!hasCode(error, 'conflict') || error.status === undefined) throw error;
    takenOver.push(...ownersIn(error.status));
    return apply(true);
  });
  if (live === null) return { of, action: 'create', changes: [], takenOver };
  const changes = diffValues(contentOf(live), contentOf(applied));
  const isSettled = changes.length === 0 && takenOver.length === 0 && isApplied(live);
  return { of, action: isSettled ? 'keep' : 'change', changes, takenOver };
}

/** Each conflict names its manager in a message of its own: `conflict with "kubectl-client-side-apply" using apps/v1`. */
function ownersIn({ details: { causes } }: ApiStatus): string[] {
  return causes.map(({ field, message }) => `${/^conflict with "([^"]*)"/.exec(message)?.[1] ?? message}: ${field}`);
}

/** Of the API server's own making. */
const BOOKKEEPING = ['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp'];

function contentOf({ metadata, ...content }: KubeObject): object {
  return { ...without(content, ['status']), metadata: without(metadata, BOOKKEEPING) };
}

function without(fields: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

const managedSchema = z.array(z.looseObject({ manager: z.string().optional(), operation: z.string().optional() })).catch([]);

/** Whether what we no longer set would go. */
function isApplied({ metadata }: KubeObject): boolean {
  const managers = managedSchema.parse(metadata['managedFields'] ?? []);
  return managers.some(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply');
}

const ACTIONS = { create: 'created', change: 'changed', keep: 'unchanged', replace: 'replaced' } as const;

/** A line for the object, and one for each value that changes. */
export function describePlan({ of: { object }, action, changes, takenOver }: ObjectPlan): string[] {
  return [
    `${ACTIONS[action].padEnd(9)}  ${describeObject(object)}`,
    ...changes.map((change) => `${' '.repeat(13)}${formatChange(change)}`),
    ...takenOver.map((field) => `${' '.repeat(13)}taken over from ${field}`),
  ];
}
