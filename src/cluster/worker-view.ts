import * as z from 'zod';
import type { KubeObject } from '../kube/kube-object.ts';

/** What a worker pod tells of its node. `waiting`: no container of it runs yet. */
export interface NodeView {
  readonly node: string;
  readonly state: 'waiting' | 'running' | 'succeeded' | 'failed';
  /** By estimate; what the remover has told by its end. */
  readonly removedImages: number;
  readonly reclaimedBytes: number;
}

const stateSchema = z.object({
  running: z.object({}).nullish(),
  terminated: z.object({ exitCode: z.int(), message: z.string().nullish() }).nullish(),
});
const podSchema = z.object({
  spec: z.object({
    nodeName: z.string().optional(),
    affinity: z
      .object({
        nodeAffinity: z.object({
          requiredDuringSchedulingIgnoredDuringExecution: z.object({
            nodeSelectorTerms: z.array(z.object({ matchFields: z.array(z.object({ values: z.array(z.string()) })) })),
          }),
        }),
      })
      .optional()
      .catch(undefined),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      containerStatuses: z.array(z.object({ name: z.string(), state: stateSchema.default({}) })).nullish(),
    })
    .default({}),
});
type PodStatus = z.output<typeof podSchema>['status'];
const totalsSchema = z.object({ removed: z.int().nonnegative(), reclaimedBytes: z.number().nonnegative() });

/** null: it is none that tells anything of a node. */
export function viewOfWorker(pod: KubeObject): NodeView | null {
  const parsed = podSchema.safeParse(pod);
  if (!parsed.success) return null;
  const { spec, status } = parsed.data;
  const terms = spec.affinity?.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms ?? [];
  const node = spec.nodeName ?? terms[0]?.matchFields[0]?.values[0];
  return node === undefined ? null : { node, state: stateOf(status), ...totalsOf(status) };
}

function stateOf({ phase, containerStatuses }: PodStatus): NodeView['state'] {
  const states = (containerStatuses ?? []).map(({ state }) => state);
  const ended = states.flatMap(({ terminated }) => terminated ?? []);
  if (phase === 'Failed' || ended.some(({ exitCode }) => exitCode !== 0)) return 'failed';
  if (phase === 'Succeeded' || (states.length > 0 && ended.length === states.length)) return 'succeeded';
  return states.some(({ running, terminated }) => (running ?? terminated ?? null) !== null) ? 'running' : 'waiting';
}

function totalsOf({ containerStatuses }: PodStatus): Pick<NodeView, 'removedImages' | 'reclaimedBytes'> {
  const remover = containerStatuses?.find(({ name }) => name === 'remover');
  const { removed = 0, reclaimedBytes = 0 } = totalsSchema.safeParse(parseJson(remover?.state.terminated?.message ?? '')).data ?? {};
  return { removedImages: removed, reclaimedBytes: Math.round(reclaimedBytes) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
