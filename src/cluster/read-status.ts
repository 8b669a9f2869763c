import * as z from 'zod';
import { conditionSchema, type Condition } from '../api/condition.ts';
import { CONFIG_MAP_KEY, parseEraserConfigMap } from '../api/eraser-config/config-map.ts';
import type { TextParsers } from '../api/eraser-config/config-values.ts';
import { parseImageList } from '../api/image-list.ts';
import { STATE_CONFIG_MAP, STATE_KEY } from '../api/state-config-map.ts';
import { type NextRun, planNextAutomaticRun } from '../core/cluster/next-run.ts';
import { parseScheduling, type Scheduling } from '../core/cluster/parse-scheduling.ts';
import { LEASE } from '../installation/permissions.ts';
import { hasCode } from '../kube/kube-error.ts';
import { readLease } from '../kube/lease.ts';
import { CONFIG_MAPS, LEASES } from '../kube/resource.ts';
import { parseDuration } from '../platform/duration.ts';
import { errorMessage } from '../platform/errors.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { parseQuantity } from '../platform/quantity.ts';
import type { ClusterSite } from './cluster-site.ts';
import { IMAGE_LISTS } from './own-kinds.ts';
import { type FoundExclusions, readExclusions } from './read-exclusions.ts';
import { type FoundManager, readInstallation } from './read-installation.ts';
import { type JobFacts, listJobs } from './read-jobs.ts';
import { type ManagerPods, readManagerPods } from './read-manager-pods.ts';

/** What is known of an installation at one moment. A part is null where it could not be read; `unread` says why. */
export interface SiteFacts {
  readonly namespace: string;
  /** null: none is installed. */
  readonly manager: FoundManager | null;
  readonly pods: ManagerPods | null;
  readonly leader: Leader | null;
  readonly automatic: AutomaticRuns | null;
  readonly jobs: readonly JobFacts[];
  /** All conditions of inputs and lists, as they are. */
  readonly conditions: readonly SiteCondition[];
  readonly exclusions: FoundExclusions | null;
  readonly unread: readonly string[];
}

export interface Leader {
  /** The pod; empty: nobody holds the Lease. */
  readonly pod: string;
  /** When it said so last; null: never. */
  readonly renewedAt: string | null;
  /** Whether it has not said so for longer than the Lease lasts. */
  readonly hasExpired: boolean;
}

/** `unreadable`: the manager has no configuration to go by. */
export type AutomaticRuns =
  | { readonly kind: 'unreadable'; readonly message: string }
  | { readonly kind: 'known'; readonly scheduling: Scheduling; readonly next: NextRun };

export interface SiteCondition extends Pick<Condition, 'type' | 'status' | 'reason' | 'message' | 'lastTransitionTime'> {
  /** What it is of: `configmap eraser-manager-config`, `imagelist NAME`. */
  readonly about: string;
}

/** Reads what there is. What the caller may not read is left out and told in `unread`; all else that fails is thrown. */
export async function readStatus(site: ClusterSite, now: number): Promise<SiteFacts> {
  const unread: string[] = [];
  const attempt = async <Part>(read: Promise<Part>): Promise<Part | null> =>
    read.catch((error: unknown) => {
      if (!hasCode(error, 'forbidden')) throw error;
      unread.push(`${errorMessage(error)}. ${error.hint ?? ''}`.trim());
      return null;
    });
  const [installation, pods, leader, jobs, lists, exclusions, state] = await Promise.all([
    attempt(readInstallation(site)),
    attempt(readManagerPods(site)),
    attempt(readLeader(site, now)),
    attempt(listJobs(site)),
    attempt(listConditions(site)),
    attempt(readExclusions(site)),
    attempt(readState(site)),
  ]);
  const configuration = state?.configuration ?? installation?.configuration ?? null;
  const isRunUnderWay = (jobs ?? []).some(({ mode, phase, endedAt }) => mode === 'automatic' && endedAt === null && phase !== 'Failed');
  return {
    namespace: site.namespace,
    manager: installation?.manager ?? null,
    pods,
    leader,
    automatic: automaticRuns({ configuration, state, isRunUnderWay, now }),
    jobs: jobs ?? [],
    conditions: [
      ...(state?.conditions ?? []).map((condition) => ({ about: `the configmaps of the manager`, ...condition })),
      ...(lists ?? []),
    ],
    exclusions,
    unread,
  };
}

const leaseTimeSchema = z.object({ spec: z.object({ renewTime: z.string().nullish() }) });

async function readLeader({ client, namespace, call }: ClusterSite, now: number): Promise<Leader> {
  const lease = await client.find({ resource: LEASES, namespace, name: LEASE }, call);
  if (lease === null) return { pod: '', renewedAt: null, hasExpired: true };
  const { holder, durationSeconds } = readLease(lease);
  const renewedAt = leaseTimeSchema.safeParse(lease).data?.spec.renewTime ?? null;
  const hasExpired = holder === '' || renewedAt === null || Date.parse(renewedAt) + durationSeconds * 1000 + CLOCKS_DIFFER_MS < now;
  // The manager puts a part of its own behind the name of its pod.
  return { pod: holder.replace(/_[^_]*$/, ''), renewedAt, hasExpired };
}

/** Of this machine and the manager's node. */
const CLOCKS_DIFFER_MS = 30_000;

const stateSchema = z.object({
  schedule: z.object({
    lastRun: z.object({ startedAt: z.number(), endedAt: z.number().nullable() }).nullable(),
    reckonedFrom: z.number().nullable(),
    plannedFor: z.string().nullable(),
  }),
  conditions: z.array(conditionSchema),
  configuration: z.string().nullable(),
});
type State = z.output<typeof stateSchema>;

const stateMapSchema = z.object({ data: z.object({ [STATE_KEY]: z.string() }) });

/** null: the manager has not been there yet, or what it keeps there is not of this version. */
async function readState({ client, namespace, call }: ClusterSite): Promise<State | null> {
  const found = await client.find({ resource: CONFIG_MAPS, namespace, name: STATE_CONFIG_MAP }, call);
  const text = stateMapSchema.safeParse(found).data?.data[STATE_KEY];
  if (text === undefined) return null;
  try {
    return stateSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

const PARSERS: TextParsers = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };

interface AutomaticInput {
  readonly configuration: string | null;
  readonly state: State | null;
  readonly isRunUnderWay: boolean;
  readonly now: number;
}

/** As the manager plans, by the same state. */
function automaticRuns({ configuration, state, isRunUnderWay, now }: AutomaticInput): AutomaticRuns | null {
  if (configuration === null) return null;
  const parsed = parseEraserConfigMap({ data: { [CONFIG_MAP_KEY]: configuration } }, PARSERS);
  if (!parsed.ok) return { kind: 'unreadable', message: describe(parsed.errors) };
  const scheduling = parseScheduling(parsed.config);
  if (!scheduling.ok) return { kind: 'unreadable', message: describe(scheduling.errors) };
  const schedule = state?.schedule ?? { lastRun: null, reckonedFrom: null, plannedFor: null };
  const { next } = planNextAutomaticRun({ ...scheduling.value, state: schedule, isRunUnderWay, now });
  return { kind: 'known', scheduling: scheduling.value, next };
}

function describe(problems: readonly { readonly path: string; readonly message: string }[]): string {
  return problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}

async function listConditions({ client, call }: ClusterSite): Promise<SiteCondition[]> {
  const trim = (object: unknown): SiteCondition[] => {
    const parsed = parseImageList(object);
    if (!parsed.ok) return [];
    const { metadata, status } = parsed.value;
    return (status?.conditions ?? []).map((condition) => ({ about: `imagelist ${metadata.name}`, ...condition }));
  };
  const { items } = await client.list({ resource: IMAGE_LISTS }, { trim }, call).catch((error: unknown) => {
    if (hasCode(error, 'not-found')) return { items: [] };
    throw error;
  });
  return items.flat();
}
