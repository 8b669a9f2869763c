import type { Log } from '../../platform/log.ts';
import type { ClusterApi } from '../ports.ts';
import { frozenConfigMap } from './frozen-config-maps.ts';
import { formatNodes, hasOutcome, withWave, type NodeRecord, type RunNode } from './node-records.ts';
import { isOver, withRecords } from './plan-job.ts';
import { NOTHING_UNWRITTEN, type Run } from './run.ts';

/**
 * As long as a pod is there, what came of it can be read again: so it need not be on record at once, and many are in one write. The longer a run
 * takes, the less the last seconds of it are worth a write of their own.
 */
const UNWRITTEN_MS = { shortest: 10_000, longest: 60_000, shareOfRun: 0.2 };
const LEAST_OUTCOMES = 10;
const SHARE_OF_NODES = 0.2;

export interface NotedRecords {
  readonly records: ReadonlyMap<string, NodeRecord>;
  readonly now: number;
}

/** Takes records into the run, to be written together with others. */
export function noteRecords({ log }: { readonly log: Log }, run: Run, { records: noted, now }: NotedRecords): void {
  if (noted.size === 0) return;
  const records = new Map([...noted].map(([node, record]) => [node, withWave(record, run.waves.get(node))]));
  for (const [node, record] of records) {
    if (record.kind === 'failed') log.warn('node failed', { job: run.job.name, node, why: record.message });
  }
  const touched = run.parts.flatMap((nodes, part) => (nodes.some(({ name }) => records.has(name)) ? [part] : []));
  run.parts = run.parts.map((nodes, part) => (touched.includes(part) ? withRecords(nodes, records) : nodes));
  const { parts, outcomes, since } = run.unwritten;
  run.unwritten = {
    parts: new Set([...parts, ...touched]),
    outcomes: outcomes + [...records.values()].filter(hasOutcome).length,
    since: Math.min(since, now),
  };
}

/** When the records that are noted are to be written; Infinity: there are none. */
export function dueAt({ unwritten, parts, knownSince }: Pick<Run, 'unwritten' | 'parts' | 'knownSince'>): number {
  const { outcomes, since } = unwritten;
  if (unwritten.parts.size === 0) return Infinity;
  const nodes = parts.flat();
  const isMuch = outcomes >= Math.max(LEAST_OUTCOMES, nodes.length * SHARE_OF_NODES);
  if (isMuch || isOver(nodes)) return since;
  const { shortest, longest, shareOfRun } = UNWRITTEN_MS;
  return since + Math.min(Math.max((since - knownSince) * shareOfRun, shortest), longest);
}

/** Writes what is noted, if anything is. When that fails, what is on record is in doubt. */
export async function writeRecords(
  api: Pick<ClusterApi, 'apply'>,
  { run, namespace }: { readonly run: Run; readonly namespace: string },
  signal: AbortSignal,
): Promise<void> {
  const { parts } = run.unwritten;
  if (parts.size === 0) return;
  run.isStatusTold = false;
  try {
    for (const part of parts) {
      const data = formatNodes(run.parts[part] ?? []);
      const resourceVersion = run.versions[part] ?? null;
      const object = frozenConfigMap({ job: run.job, namespace, what: 'nodes', part, parts: run.parts.length, data, resourceVersion });
      const { metadata } = await api.apply(object, signal);
      run.versions[part] = metadata.resourceVersion ?? null;
    }
  } catch (error) {
    run.isInDoubt = true;
    throw error;
  }
  run.unwritten = NOTHING_UNWRITTEN;
}

/** Takes what this process knows of a run into the run as it was read again: outcomes that are not on record, and since when things are so. */
export function takeOver({ log }: { readonly log: Log }, before: Run, { run, now }: { readonly run: Run; readonly now: number }): void {
  run.sightings = before.sightings;
  for (const [name, since] of before.unreadySince) run.unreadySince.set(name, since);
  for (const [name, since] of before.unmadeSince) run.unmadeSince.set(name, since);
  run.nodesSeenAt = before.nodesSeenAt;
  for (const [name, wave] of before.waves) run.waves.set(name, wave);
  run.endedWave = before.endedWave;
  run.pausedAfter = before.pausedAfter;
  run.knownSince = before.knownSince;
  const known = new Map(before.parts.flat().map(({ name, record }) => [name, record]));
  noteRecords({ log }, run, { records: new Map(run.parts.flat().flatMap((node) => missing(node, known.get(node.name)))), now });
}

function missing({ name, record }: RunNode, known: NodeRecord | undefined): [string, NodeRecord][] {
  return known === undefined || hasOutcome(record) || known.kind === 'waiting' || known.kind === record.kind ? [] : [[name, known]];
}
