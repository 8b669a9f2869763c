import * as z from 'zod';
import type { ProtectingObject } from './decision.ts';
import { parseWith, type Parsed } from './problem.ts';

/** What counts of pods and workloads for the images that must stay: who they are, and which images they refer to. */

export interface PodReference {
  readonly namespace: string;
  readonly name: string;
  /** The node that it is bound to; null: none yet. */
  readonly nodeName: string | null;
  /** It has ended, and will start no container again. */
  readonly isFinished: boolean;
  /** Of all its containers and image volumes, each once. */
  readonly imageReferences: readonly string[];
}

interface Workload<Kind extends string> extends ProtectingObject {
  readonly kind: Kind;
  /** Of its pod template, each once. */
  readonly imageReferences: readonly string[];
}

interface Revision {
  /** The uid of the workload that it is a revision of; null: it stands alone. */
  readonly ownerUid: string | null;
  /** The higher, the newer; null: it does not say. */
  readonly revision: number | null;
}

export type WorkloadReference =
  | Workload<'CronJob'>
  | (Workload<'Job'> & { readonly isFinished: boolean })
  /** `replicas`: how many are wanted; of a DaemonSet, on how many nodes. */
  | (Workload<'Deployment' | 'StatefulSet' | 'DaemonSet'> & { readonly replicas: number })
  | (Workload<'ReplicaSet'> & Revision & { readonly replicas: number })
  | (Workload<'ControllerRevision'> & Revision);
export type WorkloadKind = WorkloadReference['kind'];

const containers = z.array(z.object({ image: z.string().nullish() })).nullish();
const podSpecShape = {
  containers,
  initContainers: containers,
  ephemeralContainers: containers,
  volumes: z.array(z.object({ image: z.object({ reference: z.string().nullish() }).nullish() })).nullish(),
};

function imagesOf(spec: z.output<z.ZodObject<typeof podSpecShape>>): string[] {
  const run = [spec.containers, spec.initContainers, spec.ephemeralContainers].flatMap((list) => list ?? []).map(({ image }) => image);
  const mounted = (spec.volumes ?? []).map(({ image }) => image?.reference);
  return [...new Set([...run, ...mounted].filter((text): text is string => typeof text === 'string' && text !== ''))];
}

const podSchema = z
  .object({
    metadata: z.object({ name: z.string(), namespace: z.string() }),
    spec: z.object({ nodeName: z.string().nullish(), ...podSpecShape }),
    status: z.object({ phase: z.string().nullish() }).nullish(),
  })
  .transform(({ metadata, spec, status }): PodReference => ({
    ...metadata,
    nodeName: spec.nodeName ?? null,
    isFinished: status?.phase === 'Succeeded' || status?.phase === 'Failed',
    imageReferences: imagesOf(spec),
  }));

/** A Pod as the API server gives it. */
export function parsePodReference(raw: unknown): Parsed<PodReference> {
  return parseWith(podSchema, raw);
}

const metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  annotations: z.record(z.string(), z.string()).nullish(),
  ownerReferences: z.array(z.object({ uid: z.string(), controller: z.boolean().nullish() })).nullish(),
});
const template = z.object({ spec: z.object(podSpecShape) });
/** Kubernetes takes a missing number of replicas for one. */
const replicas = z.number().nullish();

const REVISION_ANNOTATION = 'deployment.kubernetes.io/revision';

/** Lists of the API server do not say in each item what kind it is of. */
const schemas: { readonly [Kind in WorkloadKind]: z.ZodType<WorkloadReference | null> } = {
  CronJob: z
    .object({ metadata, spec: z.object({ jobTemplate: z.object({ spec: z.object({ template }) }) }) })
    .transform(({ metadata: object, spec }) => workload('CronJob', object, spec.jobTemplate.spec.template)),
  Job: z
    .object({
      metadata,
      spec: z.object({ template }),
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish() }).nullish(),
    })
    .transform(({ metadata: object, spec, status }) => ({
      ...workload('Job', object, spec.template),
      isFinished: (status?.conditions ?? []).some((found) => ['Complete', 'Failed'].includes(found.type) && found.status === 'True'),
    })),
  Deployment: scalable('Deployment'),
  StatefulSet: scalable('StatefulSet'),
  DaemonSet: z
    .object({
      metadata,
      spec: z.object({ template }),
      status: z.object({ desiredNumberScheduled: z.number().nullish() }).nullish(),
    })
    .transform(({ metadata: object, spec, status }) => ({
      ...workload('DaemonSet', object, spec.template),
      replicas: status?.desiredNumberScheduled ?? 0,
    })),
  ReplicaSet: z.object({ metadata, spec: z.object({ template, replicas }) }).transform(({ metadata: object, spec }) => ({
    ...workload('ReplicaSet', object, spec.template),
    replicas: spec.replicas ?? 1,
    ownerUid: ownerUid(object),
    revision: parseRevision(object.annotations?.[REVISION_ANNOTATION]),
  })),
  ControllerRevision: z
    .object({ metadata, revision: z.number().nullish(), data: z.unknown() })
    .transform(({ metadata: object, revision, data }) => {
      // What a controller keeps there is its own affair; those of Kubernetes keep a pod template.
      const kept = z.object({ spec: z.object({ template }) }).safeParse(data);
      if (!kept.success) return null;
      return { ...workload('ControllerRevision', object, kept.data.spec.template), ownerUid: ownerUid(object), revision: revision ?? null };
    }),
};

/** A workload as the API server gives it; null: it has no pod template, so it is none. */
export function parseWorkloadReference(kind: WorkloadKind, raw: unknown): Parsed<WorkloadReference | null> {
  return parseWith(schemas[kind], raw);
}

function scalable(kind: 'Deployment' | 'StatefulSet') {
  return z
    .object({ metadata, spec: z.object({ template, replicas }) })
    .transform(({ metadata: object, spec }) => ({ ...workload(kind, object, spec.template), replicas: spec.replicas ?? 1 }));
}

function workload<Kind extends WorkloadKind>(
  kind: Kind,
  { namespace, name }: z.output<typeof metadata>,
  { spec }: z.output<typeof template>,
): Workload<Kind> {
  return { kind, namespace, name, imageReferences: imagesOf(spec) };
}

function ownerUid({ ownerReferences }: z.output<typeof metadata>): string | null {
  return ownerReferences?.find(({ controller }) => controller === true)?.uid ?? null;
}

function parseRevision(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}
