import * as z from 'zod';
import type { KubeObject } from './kube-object.ts';
import { apiVersionOf, LEASES } from './resource.ts';

/** coordination.k8s.io/v1 LeaseSpec; what else it has is kept. */
const leaseSpecSchema = z.looseObject({
  holderIdentity: z.string().nullish(),
  leaseDurationSeconds: z.number().nullish(),
  leaseTransitions: z.number().nullish(),
});

export interface LeaseTerms {
  readonly holder: string;
  readonly durationSeconds: number;
  readonly transitions: number;
}

export interface HeldLease extends LeaseTerms {
  /** Milliseconds since the epoch, for people who look at the Lease: nothing is decided by it. */
  readonly renewedAt: number;
  readonly acquiredAt: number;
}

/** A Lease that cannot be read counts as held by nobody. */
export function readLease(lease: KubeObject): LeaseTerms {
  const spec = leaseSpecSchema.safeParse(lease['spec']).data;
  return {
    holder: spec?.holderIdentity ?? '',
    durationSeconds: spec?.leaseDurationSeconds ?? 0,
    transitions: spec?.leaseTransitions ?? 0,
  };
}

export function newLease(at: { readonly namespace: string; readonly name: string }, held: HeldLease): KubeObject {
  return { apiVersion: apiVersionOf(LEASES), kind: 'Lease', metadata: { ...at }, spec: specOf(held) };
}

export function withHolder(lease: KubeObject, held: HeldLease): KubeObject {
  return { ...lease, spec: { ...leaseSpecSchema.safeParse(lease['spec']).data, ...specOf(held) } };
}

/** Held by nobody: the next candidate need not wait. The count of transitions stays, since terms go by it. */
export function withoutHolder(lease: KubeObject, releasedAt: number): KubeObject {
  const spec = leaseSpecSchema.safeParse(lease['spec']).data;
  // What is undefined is left out of the JSON.
  return { ...lease, spec: { ...spec, holderIdentity: undefined, leaseDurationSeconds: 1, renewTime: microTime(releasedAt) } };
}

function specOf({ holder, durationSeconds, transitions, renewedAt, acquiredAt }: HeldLease): object {
  return {
    holderIdentity: holder,
    leaseDurationSeconds: durationSeconds,
    leaseTransitions: transitions,
    acquireTime: microTime(acquiredAt),
    renewTime: microTime(renewedAt),
  };
}

/** Kubernetes' MicroTime, which wants exactly six digits. */
export function microTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}
