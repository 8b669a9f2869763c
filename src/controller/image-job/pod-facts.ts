import * as z from 'zod';
import { JOB_UID_LABEL, WAVE_LABEL } from '../../core/cluster/worker-pod.ts';
import type { RawObject } from '../raw-object.ts';

/** What counts of a worker pod for its run. */
export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  /** The ImageJob that it is a part of; empty: it does not say. */
  readonly job: { readonly name: string; readonly uid: string };
  /** The node that it is bound to or is to be; null: neither is known. */
  readonly node: string | null;
  /** `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`. */
  readonly phase: string;
  /** Of the pod as a whole: `Evicted`, `DeadlineExceeded`. */
  readonly reason: string;
  readonly message: string;
  readonly isBeingDeleted: boolean;
  readonly containers: readonly ContainerFacts[];
  /** Why it is not scheduled; empty: it is, or nobody has said. */
  readonly unscheduled: string;
  /** That its node was begun with in; absent: its run has no pauses. */
  readonly wave?: number;
}

export interface ContainerFacts {
  readonly name: string;
  readonly state:
    | { readonly kind: 'waiting' | 'terminated-ok'; readonly message: string }
    | { readonly kind: 'running' }
    | { readonly kind: 'failed'; readonly exitCode: number; readonly reason: string; readonly message: string };
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const stateSchema = z.object({
  waiting: z.object({ reason: text, message: text }).nullish(),
  running: z.object({}).nullish(),
  terminated: z.object({ exitCode: z.number(), reason: text, message: text }).nullish(),
});
const list = <Item extends z.ZodType>(item: Item) =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);

const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: text,
    deletionTimestamp: z.string().nullish(),
    labels: z.record(z.string(), z.string()).nullish(),
    ownerReferences: list(z.object({ kind: z.string(), name: z.string(), uid: z.string() })),
  }),
  spec: z
    .object({
      nodeName: z.string().nullish(),
      affinity: z
        .object({
          nodeAffinity: z.object({
            requiredDuringSchedulingIgnoredDuringExecution: z.object({
              nodeSelectorTerms: z.array(z.object({ matchFields: list(z.object({ key: z.string(), values: z.array(z.string()) })) })),
            }),
          }),
        })
        .nullish()
        .catch(null),
    })
    .nullish(),
  status: z
    .object({
      phase: text,
      reason: text,
      message: text,
      conditions: list(z.object({ type: z.string(), status: z.string(), message: text })),
      containerStatuses: list(z.object({ name: z.string(), state: stateSchema.nullish() })),
    })
    .nullish(),
});

/** Never throws: one that cannot be read counts as one that says nothing. */
export function readPodFacts(raw: RawObject): PodFacts {
  const parsed = podSchema.safeParse(raw).data;
  const owner = parsed?.metadata.ownerReferences.find(({ kind }) => kind === 'ImageJob');
  const terms = parsed?.spec?.affinity?.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms ?? [];
  const wanted = terms.flatMap(({ matchFields }) => matchFields).find(({ key }) => key === 'metadata.name')?.values[0];
  const status = parsed?.status;
  const scheduled = status?.conditions.find(({ type }) => type === 'PodScheduled');
  return {
    name: raw.metadata.name,
    uid: raw.metadata.uid ?? '',
    job: { name: owner?.name ?? '', uid: owner?.uid ?? parsed?.metadata.labels?.[JOB_UID_LABEL] ?? '' },
    node: parsed?.spec?.nodeName ?? wanted ?? null,
    phase: status?.phase ?? '',
    reason: status?.reason ?? '',
    message: status?.message ?? '',
    isBeingDeleted: typeof parsed?.metadata.deletionTimestamp === 'string',
    containers: (status?.containerStatuses ?? []).map(({ name, state }) => ({ name, state: stateOf(state) })),
    unscheduled: scheduled?.status === 'False' ? scheduled.message : '',
    ...waveOf(parsed?.metadata.labels?.[WAVE_LABEL]),
  };
}

function waveOf(label: string | undefined): Pick<PodFacts, 'wave'> {
  return label !== undefined && /^[1-9][0-9]{0,8}$/.test(label) ? { wave: Number(label) } : {};
}

function stateOf(state: z.output<typeof stateSchema> | null | undefined): ContainerFacts['state'] {
  const terminated = state?.terminated ?? null;
  if (terminated !== null) {
    const { exitCode, reason, message } = terminated;
    return exitCode === 0 ? { kind: 'terminated-ok', message } : { kind: 'failed', exitCode, reason, message };
  }
  if (state?.running !== undefined && state.running !== null) return { kind: 'running' };
  const { reason = '', message = '' } = state?.waiting ?? {};
  return { kind: 'waiting', message: [reason, message].filter((part) => part !== '').join(': ') };
}

/** Whether containers of it may still run. That a pod has ended, the kubelet says a second after it has said so of the last of them. */
export function isLive(pod: PodFacts): boolean {
  return pod.phase !== 'Succeeded' && pod.phase !== 'Failed' && !haveContainersEnded(pod);
}

/** None of them is restarted, and a status has all of them from the first. */
export function haveContainersEnded({ containers }: PodFacts): boolean {
  return containers.length > 0 && containers.every(({ state }) => state.kind === 'terminated-ok' || state.kind === 'failed');
}
