import * as z from 'zod';
import { conditionSchema, type Condition } from '../api/condition.ts';
import { CONFIG_MAP_KEY, CONFIG_MAP_NAME, parseEraserConfigMap } from '../api/eraser-config/config-map.ts';
import { scheduleOf } from '../api/eraser-config.ts';
import { STATE_CONFIG_MAP, STATE_KEY } from '../api/state-config-map.ts';
import { readRunRequest, RUN_REQUEST_ANNOTATION } from '../api/run-request.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { parseDuration } from '../platform/duration.ts';
import { parseYaml } from '../platform/parse-yaml.ts';
import { parseQuantity } from '../platform/quantity.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import type { FoundInstallation } from './read-installation.ts';

/** Throws a ClusterError with the next step when a run that is asked for now would not begin. */
export function refuseWithoutAutomaticRuns({ namespace, configuration }: FoundInstallation): void {
  if (configuration === null) {
    throw new ClusterError({
      code: 'not-installed',
      message: `There is no configuration in the namespace ${namespace}: the configmap ${CONFIG_MAP_NAME} with the key ${CONFIG_MAP_KEY}`,
      hint: 'To install Image Cleaner: image-cleaner cluster enable',
    });
  }
  const parsers = { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml };
  const parsed = parseEraserConfigMap({ data: { [CONFIG_MAP_KEY]: configuration } }, parsers);
  // Of one that cannot be read the manager knows what is in force.
  if (!parsed.ok || scheduleOf(parsed.config) !== null) return;
  throw new ClusterError({
    code: 'refused',
    message: 'Automatic runs are off: components.collector.enabled of the configuration is false',
    hint: 'Turn them on there, or remove images by name: image-cleaner cluster remove IMAGE…',
  });
}

/** Asks the manager for a run, in the place of what was asked for before and not answered. */
export async function requestRun({ client, namespace, call }: ClusterSite, token: string): Promise<void> {
  const patch = { metadata: { annotations: { [RUN_REQUEST_ANNOTATION]: token } } };
  await client.patch({ resource: CONFIG_MAPS, namespace, name: CONFIG_MAP_NAME }, { strategy: 'merge', patch }, call);
}

/** What is asked for, and what the manager has answered. */
export interface RunRequests {
  /** The token of the last request; null: there is none. */
  readonly asked: string | null;
  /** The last that was answered, with the job that was begun for it; `job` null: it was refused. */
  readonly answered: { readonly token: string; readonly job: string | null } | null;
  /** The names of the jobs that it has begun, or is about to make, and of whose ends it has not taken note. */
  readonly begun: readonly string[];
  /** What the manager says of its inputs. */
  readonly conditions: readonly Condition[];
}

const configMapSchema = z.object({ data: z.record(z.string(), z.string()).default({}) });
/** The part of the manager's state that is of interest here; an earlier manager has less. */
const begunSchema = z.object({ job: z.string() }).nullable().default(null);
const stateSchema = z.object({
  automatic: begunSchema,
  manual: begunSchema,
  lastRequest: z.object({ token: z.string(), job: z.string().nullable() }).nullable().default(null),
  conditions: z.array(conditionSchema).default([]),
});

export async function readRunRequests({ client, namespace, call }: ClusterSite): Promise<RunRequests> {
  const [configuration, state] = await Promise.all(
    [CONFIG_MAP_NAME, STATE_CONFIG_MAP].map((name) => client.find({ resource: CONFIG_MAPS, namespace, name }, call)),
  );
  const text = state === null ? undefined : configMapSchema.parse(state).data[STATE_KEY];
  const { automatic, manual, lastRequest, conditions } = stateSchema.parse(text === undefined ? {} : JSON.parse(text));
  const begun = [automatic, manual].flatMap((intent) => intent?.job ?? []);
  return { asked: readRunRequest(configuration?.metadata['annotations']), answered: lastRequest, begun, conditions };
}
