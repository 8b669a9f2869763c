import { API_GROUP } from '../../api/custom-resource.ts';
import { CONFIG_MAP_KEY } from '../../api/eraser-config/config-map.ts';
import { FROZEN_KEYS, freezeExclusions, freezeImageList, freezeProtections, thawProtections } from '../../api/frozen-lists.ts';
import type { ExclusionList } from '../../api/exclusion-list.ts';
import { JOB_UID_LABEL, type WorkerFrame } from '../../core/cluster/worker-pod.ts';
import type { Protection } from '../../core/plan-facts.ts';
import type { RawObject } from '../raw-object.ts';
import { formatProblems } from '../configuration/inputs.ts';
import { formatNodes, type RunNode } from './node-records.ts';

/** What a configmap of a run holds; and which part, of how many, of that. */
export const FROZEN_LABEL = 'eraser.sh/frozen';
const PARTS_ANNOTATION = 'eraser.sh/parts';
const FROZEN = ['configuration', 'exclusions', 'image-list', 'protections', 'nodes'] as const;
export type Frozen = (typeof FROZEN)[number];
/** The one of an automatic run alone, and of a manual one. */
const OF_ONE_KIND: readonly Frozen[] = ['image-list', 'protections'];

export interface JobIdentity {
  readonly name: string;
  readonly uid: string;
}

export interface RunContent {
  readonly configuration: string;
  readonly exclusions: readonly ExclusionList[];
  /** null: an automatic run. */
  readonly images: readonly string[] | null;
  /** null: a manual run, which removes what is listed. */
  readonly protections: readonly Protection[] | null;
  readonly nodes: readonly (readonly RunNode[])[];
}

/** All configmaps of a run, owned by its job. All but those of the nodes can never be changed. */
export function makeFrozenConfigMaps(job: JobIdentity, namespace: string, content: RunContent): RawObject[] {
  const freeze = (what: Frozen, parts: readonly Readonly<Record<string, string>>[]): RawObject[] =>
    parts.map((data, part) => frozenConfigMap({ job, namespace, what, part, parts: parts.length, data }));
  return [
    ...freeze('configuration', [{ [CONFIG_MAP_KEY]: content.configuration }]),
    ...freeze(
      'exclusions',
      freezeExclusions(content.exclusions).map((text) => ({ [FROZEN_KEYS.exclusions]: text })),
    ),
    ...freeze(
      'image-list',
      content.images === null ? [] : freezeImageList(content.images).map((text) => ({ [FROZEN_KEYS.imageList]: text })),
    ),
    ...freeze(
      'protections',
      content.protections === null ? [] : freezeProtections(content.protections).map((text) => ({ [FROZEN_KEYS.protections]: text })),
    ),
    ...freeze('nodes', content.nodes.map(formatNodes)),
  ];
}

export interface FrozenConfigMapInput {
  readonly job: JobIdentity;
  readonly namespace: string;
  readonly what: Frozen;
  readonly part: number;
  readonly parts: number;
  readonly data: Readonly<Record<string, string>>;
  /** Of the object that it is to replace, and no other. */
  readonly resourceVersion?: string | null;
}

export function frozenConfigMap({ job, namespace, what, part, parts, data, resourceVersion = null }: FrozenConfigMapInput): RawObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: `${job.name}-${what}-${part}`,
      namespace,
      ...(resourceVersion === null ? {} : { resourceVersion }),
      labels: { [JOB_UID_LABEL]: job.uid, [FROZEN_LABEL]: what },
      annotations: { [PARTS_ANNOTATION]: String(parts) },
      ownerReferences: [{ apiVersion: `${API_GROUP}/v1`, kind: 'ImageJob', name: job.name, uid: job.uid, controller: true }],
    },
    ...(what === 'nodes' ? {} : { immutable: true }),
    data,
  };
}

export interface ReadFrozen {
  readonly configuration: string;
  readonly configMaps: WorkerFrame['configMaps'];
  /** null: there are none. */
  readonly protections: readonly Protection[] | null;
  /** The data of the parts, in order. */
  readonly nodes: readonly Readonly<Record<string, string>>[];
  /** The resourceVersions of their configmaps. */
  readonly nodeVersions: readonly (string | null)[];
}

/** Puts a run's configmaps back together; a text says what is missing, and then the run cannot go on. */
export function readFrozen(job: JobIdentity, objects: readonly RawObject[]): ReadFrozen | string {
  const byName = new Map(objects.map((object) => [object.metadata.name, object]));
  const namesOf = (what: Frozen): string[] | null => {
    const first = byName.get(`${job.name}-${what}-0`);
    if (first === undefined) return OF_ONE_KIND.includes(what) ? [] : null;
    const annotations = first.metadata['annotations'] as Readonly<Record<string, string>> | undefined;
    const names = Array.from({ length: Number(annotations?.[PARTS_ANNOTATION] ?? 1) }, (_, part) => `${job.name}-${what}-${part}`);
    return names.every((name) => byName.has(name)) ? names : null;
  };
  const names = Object.fromEntries(FROZEN.map((what) => [what, namesOf(what)])) as Record<Frozen, string[] | null>;
  const { configuration, exclusions, 'image-list': imageList, protections, nodes } = names;
  if (configuration === null || exclusions === null || imageList === null || protections === null || nodes === null) {
    return `of what it has frozen is missing: ${FROZEN.filter((what) => names[what] === null).join(', ')}`;
  }
  const dataOf = (name: string): Readonly<Record<string, string>> => (byName.get(name)?.['data'] ?? {}) as Readonly<Record<string, string>>;
  const [config = ''] = configuration;
  const thawed = thawProtections(protections.map((name) => dataOf(name)[FROZEN_KEYS.protections] ?? ''));
  if (!thawed.ok) return `its protections cannot be read: ${formatProblems(thawed.errors)}`;
  return {
    configuration: dataOf(config)[CONFIG_MAP_KEY] ?? '',
    configMaps: { config, exclusions, imageList },
    protections: protections.length === 0 ? null : thawed.value,
    nodes: nodes.map(dataOf),
    nodeVersions: nodes.map((name) => byName.get(name)?.metadata.resourceVersion ?? null),
  };
}
