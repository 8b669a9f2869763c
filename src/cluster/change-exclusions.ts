import * as z from 'zod';
import { EXCLUSION_LABEL, SYSTEM_EXCLUSION_NAME } from '../api/exclusion-config-map.ts';
import { parseExclusionList } from '../api/exclusion-list.ts';
import { compileExclusions } from '../core/exclusions/exclusions.ts';
import { hasCode } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { OWN_EXCLUSIONS } from './exclusion-names.ts';
import { type ExclusionEntry, formatProblems, readExclusions } from './read-exclusions.ts';

/** Marks the configmaps that these commands may change. Whoever keeps the others (a person, a GitOps tool) would put changes back. */
export const OWN_LABEL = { name: 'app.kubernetes.io/managed-by', value: 'image-cleaner' } as const;
const KEY = 'excluded.json';
const LABELS = { [EXCLUSION_LABEL.name]: EXCLUSION_LABEL.value, [OWN_LABEL.name]: OWN_LABEL.value };
/** Who loses a race that often has a busier neighbour than a list of exclusions has. */
const MOST_TRIES = 5;

export interface AddedExclusions {
  readonly configMap: string;
  readonly added: readonly string[];
  /** Those that the configmap had before. */
  readonly present: readonly string[];
}

/** @throws ClusterError `bad-value` for a pattern that the manager would refuse, `refused` for a configmap that is not of these commands. */
export async function addExclusions(
  site: ClusterSite,
  { patterns, configMap }: { readonly patterns: readonly string[]; readonly configMap: string },
): Promise<AddedExclusions> {
  checkPatterns(patterns);
  refuseSystem(site, configMap);
  const wanted = [...new Set(patterns)];
  return repeatLostRaces(async () => {
    const found = await findMap(site, configMap);
    const entries = found === null ? [] : ownEntries(site, found);
    const added = wanted.filter((pattern) => !entries.includes(pattern));
    const present = wanted.filter((pattern) => entries.includes(pattern));
    if (found === null) await createMap(site, configMap, added);
    else if (added.length > 0 || !isLabelled(found)) await writeEntries(site, found, [...entries, ...added]);
    return { configMap, added, present };
  });
}

export interface RemovedExclusion {
  readonly pattern: string;
  /** Whether the configmap of these commands had it. */
  readonly isRemoved: boolean;
  /** Where it goes on to be: those configmaps are of others. */
  readonly elsewhere: readonly ExclusionEntry[];
}

export async function removeExclusions(
  site: ClusterSite,
  { patterns, configMap }: { readonly patterns: readonly string[]; readonly configMap: string },
): Promise<readonly RemovedExclusion[]> {
  refuseSystem(site, configMap);
  const wanted = new Set(patterns);
  const removed = await repeatLostRaces(async () => {
    const found = await findMap(site, configMap);
    // One that is not of these commands is told of below.
    const entries = found === null || !isOwn(found) ? [] : ownEntries(site, found);
    const staying = entries.filter((entry) => !wanted.has(entry));
    if (found !== null && staying.length < entries.length) await writeEntries(site, found, staying);
    return new Set(entries.filter((entry) => wanted.has(entry)));
  });
  const { entries } = await readExclusions(site);
  return [...wanted].map((pattern) => ({
    pattern,
    isRemoved: removed.has(pattern),
    elsewhere: entries.filter((entry) => entry.pattern === pattern),
  }));
}

function checkPatterns(patterns: readonly string[]): void {
  const compiled = compileExclusions([{ name: '', entries: patterns }]);
  const empty = patterns.filter((pattern) => pattern.trim() === '').map(() => 'a pattern is empty');
  const errors = [...empty, ...(compiled.ok ? [] : compiled.errors.map(({ entry, message }) => `"${entry}": ${message}`))];
  if (errors.length === 0) return;
  throw new ClusterError({
    code: 'bad-value',
    message: `${errors.join('\n')}\nNothing was changed.`,
    hint: 'What patterns there are is in docs/exclusions.md.',
  });
}

function refuseSystem({ namespace }: ClusterSite, name: string): void {
  if (name !== SYSTEM_EXCLUSION_NAME) return;
  throw new ClusterError({
    code: 'refused',
    message: `The configmap ${name} in the namespace ${namespace} is the system's: it is never changed, and the manager would put it back`,
    hint: `Leave --name out: then ${OWN_EXCLUSIONS} is written.`,
  });
}

async function repeatLostRaces<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!hasCode(error, 'conflict', 'already-exists') || tries === MOST_TRIES) throw error;
    }
  }
}

function findMap({ client, namespace, call }: ClusterSite, name: string): Promise<KubeObject | null> {
  return client.find({ resource: CONFIG_MAPS, namespace, name }, call);
}

async function createMap({ client, namespace, call }: ClusterSite, name: string, excluded: readonly string[]): Promise<void> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels: LABELS }, data: { [KEY]: format(excluded) } };
  await client.create({ resource: CONFIG_MAPS, namespace }, object, call).catch((error: unknown) => {
    if (!hasCode(error, 'not-found')) throw error;
    throw new ClusterError({
      code: 'not-installed',
      message: `There is no namespace ${namespace}, so Image Cleaner is not installed there`,
      hint: 'Name the one that it is in with --namespace, or install it: image-cleaner cluster enable',
      cause: error,
    });
  });
}

/** Of this version of the configmap, else `conflict`. */
async function writeEntries({ client, namespace, call }: ClusterSite, found: KubeObject, excluded: readonly string[]): Promise<void> {
  const { metadata, data } = ownSchema.parse(found);
  const object = {
    ...found,
    metadata: { ...metadata, labels: { ...metadata.labels, ...LABELS } },
    data: { ...data, [KEY]: format(excluded) },
  };
  await client.update({ resource: CONFIG_MAPS, namespace, name: metadata.name }, object, call);
}

function format(excluded: readonly string[]): string {
  return `${JSON.stringify({ excluded }, null, 2)}\n`;
}

const ownSchema = z.object({
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  data: z
    .record(z.string(), z.string())
    .nullish()
    .transform((data) => data ?? {}),
});

function isOwn(map: KubeObject): boolean {
  return ownSchema.parse(map).metadata.labels[OWN_LABEL.name] === OWN_LABEL.value;
}

function isLabelled(map: KubeObject): boolean {
  return ownSchema.parse(map).metadata.labels[EXCLUSION_LABEL.name] === EXCLUSION_LABEL.value;
}

function ownEntries({ namespace }: ClusterSite, map: KubeObject): readonly string[] {
  const { name } = map.metadata;
  const edit = `kubectl edit configmap -n ${namespace} ${name}`;
  if (!isOwn(map)) {
    throw new ClusterError({
      code: 'refused',
      message: `The configmap ${name} in the namespace ${namespace} was not made by \`exclude add\`, and is left as it is`,
      hint: `Leave --name out, or name one that there is not yet; or change it where it comes from (${edit}).`,
    });
  }
  const text = ownSchema.parse(map).data[KEY];
  if (text === undefined) return [];
  const list = parseExclusionList(`${name}/${KEY}`, text);
  if (list.ok) return list.value.entries;
  const message = `The configmap ${name} in the namespace ${namespace} cannot be read: ${KEY}: ${formatProblems(list.errors)}`;
  throw new ClusterError({ code: 'refused', message, hint: `Correct it first: ${edit}` });
}
