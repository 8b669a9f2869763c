import * as z from 'zod';
import { EXCLUSION_LABEL, parseExclusionConfigMap, SYSTEM_EXCLUSION_NAME } from '../api/exclusion-config-map.ts';
import { parseExclusionList, type ExclusionList } from '../api/exclusion-list.ts';
import type { Problem } from '../api/problem.ts';
import { compileExclusions } from '../core/exclusions/exclusions.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { CONFIG_MAPS } from '../kube/resource.ts';
import type { ClusterSite } from './cluster-site.ts';

export interface ExclusionEntry {
  readonly pattern: string;
  readonly configMap: string;
  readonly key: string;
  /** Why the manager does not go by it; null: it does. */
  readonly notInForce: string | null;
}

/** A configmap that the manager cannot read. While there is one, no run begins. */
export interface ExclusionFault {
  readonly configMap: string;
  readonly message: string;
}

export interface FoundExclusions {
  readonly entries: readonly ExclusionEntry[];
  readonly faults: readonly ExclusionFault[];
  /** Of the configmaps that can be read: what the next run goes by, if all can. */
  readonly lists: readonly ExclusionList[];
}

/** All configmaps that hold exclusions, or look as if they were to, by name. */
export async function readExclusions({ client, namespace, call }: ClusterSite): Promise<FoundExclusions> {
  const collection = { resource: CONFIG_MAPS, namespace };
  const [labelled, system] = await Promise.all([
    client.list(collection, { labelSelector: EXCLUSION_LABEL.name, trim: (object) => object }, call),
    client.find({ ...collection, name: SYSTEM_EXCLUSION_NAME }, call),
  ]);
  const others = labelled.items.filter(({ metadata }) => metadata.name !== SYSTEM_EXCLUSION_NAME);
  return judgeExclusionMaps([...others, ...(system === null ? [] : [system])]);
}

const mapSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
  data: z.record(z.string(), z.string()).nullish(),
});

/** As the manager judges them: what has another value of the label is not looked at, one that cannot be read keeps runs from beginning. */
export function judgeExclusionMaps(maps: readonly KubeObject[]): FoundExclusions {
  const sorted = maps.toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
  const found = sorted.map(judgeMap);
  return {
    entries: found.flatMap(({ entries }) => entries),
    faults: found.flatMap(({ faults }) => faults),
    lists: found.flatMap(({ lists }) => lists),
  };
}

function judgeMap(map: KubeObject): FoundExclusions {
  const { metadata, data } = mapSchema.parse(map);
  const { name } = metadata;
  const label = metadata.labels[EXCLUSION_LABEL.name];
  const isRead = label === EXCLUSION_LABEL.value || name === SYSTEM_EXCLUSION_NAME;
  const parsed = parseExclusionConfigMap(map);
  const problems = parsed.ok ? patternProblems(parsed.value) : parsed.errors;
  const lists = isRead && parsed.ok && problems.length === 0 ? parsed.value : [];
  const whyNot = (key: string): string | null => {
    if (!isRead) return `its label ${EXCLUSION_LABEL.name} is "${label ?? ''}", not "${EXCLUSION_LABEL.value}"`;
    if (!key.endsWith('.json')) return 'its key does not end in .json';
    return problems.length > 0 ? 'its configmap cannot be read' : null;
  };
  const entries = Object.entries(data ?? {}).flatMap(([key, text]) => {
    const list = parseExclusionList(key, text);
    return list.ok ? list.value.entries.map((pattern) => ({ pattern, configMap: name, key, notInForce: whyNot(key) })) : [];
  });
  const faults = isRead && problems.length > 0 ? [{ configMap: name, message: formatProblems(problems) }] : [];
  return { entries, faults, lists };
}

/** What is wrong with the entries themselves. */
export function patternProblems(lists: readonly ExclusionList[]): Problem[] {
  const compiled = compileExclusions(lists);
  return compiled.ok ? [] : compiled.errors.map(({ list, entry, message }) => ({ path: list, message: `"${entry}": ${message}` }));
}

export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
}
