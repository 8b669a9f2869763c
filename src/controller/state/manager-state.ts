import * as z from 'zod';
import { conditionSchema } from '../../api/condition.ts';
import { parseWith, type Parsed } from '../../api/problem.ts';
import type { LateState } from '../../core/cluster/late-nodes.ts';
import { NEW_SCHEDULE_STATE, type ScheduleState } from '../../core/cluster/next-run.ts';

export { STATE_CONFIG_MAP, STATE_KEY } from '../../api/state-config-map.ts';

/**
 * A run, from when it was decided until its end was taken note of. `intended` is stored before the job is made, `created` after it: so a job that is
 * missing was never made in the one case, and was deleted by someone in the other.
 */
const intentSchema = z.object({ job: z.string(), stage: z.enum(['intended', 'created']) });
export type RunIntent = z.output<typeof intentSchema>;

const time = z.number();
const versionSchema = z.object({ uid: z.string(), generation: z.number() });

const stateSchema = z.object({
  schedule: z.object({
    lastRun: z.object({ startedAt: time, endedAt: time.nullable() }).nullable(),
    reckonedFrom: time.nullable(),
    plannedFor: z.string().nullable(),
  }) satisfies z.ZodType<ScheduleState>,
  /** `late`: it is a run over these nodes alone, which that run did not get to. */
  automatic: intentSchema.extend({ late: z.object({ of: z.string(), nodes: z.array(z.string()) }).optional() }).nullable(),
  /** Of the last automatic run, for nodes that come late; null: none has a run of its own. */
  late: (
    z.object({
      run: z.string(),
      startedAt: time,
      endedAt: time,
      away: z.array(z.string()),
      had: z.array(z.string()),
    }) satisfies z.ZodType<LateState>
  )
    .nullable()
    .default(null),
  /** The last request for a run that was answered (`eraser.sh/run-requested`), and the job that was begun for it; null: it was refused. */
  lastRequest: z.object({ token: z.string(), job: z.string().nullable() }).nullable().default(null),
  /** With the version of the list that it is for. */
  manual: intentSchema.extend({ list: versionSchema }).nullable(),
  /** The version of the ImageList for which a run was begun last. */
  lastBegun: versionSchema.nullable(),
  /** Of the inputs: configmaps have no status of their own. */
  conditions: z.array(conditionSchema),
  /** The text of the last configuration that could be used. */
  configuration: z.string().nullable(),
  /** What the system's exclusion list held when it was first seen, by key; null: it was not seen yet. */
  systemExclusion: z.record(z.string(), z.string()).nullable().default(null),
  /** Whether an automatic run has completed. Until then, exclusions keep what they keep for Eraser, too. */
  hasCleaned: z.boolean().default(false),
  /** Of the leader that wrote last: the greatest there ever was. */
  term: z.number().default(0),
});
export type ManagerState = z.output<typeof stateSchema>;

export const NEW_STATE: ManagerState = {
  schedule: NEW_SCHEDULE_STATE,
  automatic: null,
  late: null,
  lastRequest: null,
  manual: null,
  lastBegun: null,
  conditions: [],
  configuration: null,
  systemExclusion: null,
  hasCleaned: false,
  term: 0,
};

const termSchema = z.object({ term: z.number() });

/** The term that a leader begins with whose Lease was lost: above that of every leader that has ever written. Of what cannot be read: the first. */
export function firstTermAfter(stateText: string | null): number {
  const parsed = termSchema.safeParse(parseJson(stateText ?? '')).data;
  return (parsed?.term ?? 0) + 1;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function parseManagerState(text: string): Parsed<ManagerState> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, errors: [{ path: '', message: `is not JSON: ${(error as SyntaxError).message}` }] };
  }
  return parseWith(stateSchema, value);
}

export function formatManagerState(state: ManagerState): string {
  return `${JSON.stringify(state, null, 2)}\n`;
}
