import type { ImageJob } from '../../api/image-job.ts';
import { podName, type Sha256 } from '../../core/cluster/pod-name.ts';
import type { AcceptConfiguration } from '../../core/cluster/accept-configuration.ts';
import { formatProblems } from '../configuration/inputs.ts';
import type { RawObject } from '../raw-object.ts';
import { readFrozen } from './frozen-config-maps.ts';
import type { RunKind } from './image-job-object.ts';
import { parseNodes, waveOf, type RunNode } from './node-records.ts';
import { NOTHING_UNWRITTEN, type Run } from './run.ts';

export interface LoadContext {
  readonly acceptConfiguration: AcceptConfiguration;
  readonly sha256: Sha256;
}

/** A run from its configmaps, by whatever process they were stored; a text says why it cannot go on. */
export function loadRun(
  { acceptConfiguration, sha256 }: LoadContext,
  { job, kind, now }: { readonly job: ImageJob; readonly kind: RunKind; /** On a clock that nobody can set. */ readonly now: number },
  objects: readonly RawObject[],
): Run | string {
  const { name, uid } = job.metadata;
  const frozen = readFrozen({ name, uid }, objects);
  if (typeof frozen === 'string') return frozen;
  if (kind === 'manual' && frozen.configMaps.imageList.length === 0) return 'of what it has frozen is missing: image-list';
  if (kind === 'automatic' && frozen.protections === null) return 'of what it has frozen is missing: protections';
  const judged = acceptConfiguration(frozen.configuration);
  if (!judged.ok) return `its configuration cannot be used: ${formatProblems(judged.errors)}`;
  const parts: RunNode[][] = [];
  for (const data of frozen.nodes) {
    const nodes = parseNodes(data);
    if (!nodes.ok) return `what it has on record of its nodes cannot be read: ${formatProblems(nodes.errors)}`;
    parts.push(nodes.value);
  }
  return {
    job: { name, uid },
    kind,
    configuration: judged.accepted,
    configMaps: frozen.configMaps,
    protections: frozen.protections ?? [],
    podNames: new Map(parts.flat().map((node) => [node.name, podName({ jobUid: uid, node: node.name }, sha256)])),
    parts,
    unwritten: NOTHING_UNWRITTEN,
    versions: [...frozen.nodeVersions],
    isInDoubt: false,
    isStatusTold: false,
    statusToldAt: -Infinity,
    knownSince: now,
    sightings: new Map(),
    unreadySince: new Map(),
    unmadeSince: new Map(),
    nodesSeenAt: -Infinity,
    waves: new Map(parts.flat().flatMap(({ name: node, record }) => entryOf(node, waveOf(record)))),
    endedWave: null,
    pausedAfter: null,
    isStopTold: false,
    isEndTold: false,
  };
}

function entryOf(node: string, wave: number | undefined): [string, number][] {
  return wave === undefined ? [] : [[node, wave]];
}
