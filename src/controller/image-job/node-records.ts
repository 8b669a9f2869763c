import * as z from 'zod';
import type { NodeSkipReason, ParticipatingNode, SkippedNode } from '../../api/cluster-node.ts';
import { RUNTIME_NAMES } from '../../api/eraser-config.ts';
import { parseWith, type Parsed } from '../../api/problem.ts';
import type { NodeOutcome } from '../../core/cluster/summarise-job.ts';

/**
 * What is kept of each node of a run, in configmaps of the run: they outlive worker pods, which someone may delete, or which go with their node. So
 * no node gets a second pod, and no outcome is lost.
 */
export const NODES_KEY = 'nodes.json';
export const PROGRESS_KEY = 'progress.json';

const condition = z.object({ status: z.string(), reason: z.string(), message: z.string() });
const reasonSchema = z.union([
  z.object({ code: z.literal('virtual'), sign: z.string() }),
  z.object({ code: z.literal('windows') }),
  z.object({ code: z.literal('filtered'), type: z.literal('exclude'), selector: z.string() }),
  z.object({ code: z.literal('filtered'), type: z.literal('include'), selectors: z.array(z.string()) }),
  z.object({ code: z.literal('being-deleted') }),
  z.object({ code: z.literal('not-ready'), condition: condition.nullable() }),
  z.object({ code: z.literal('not-started'), failed: z.number(), nodes: z.number() }),
  z.object({ code: z.literal('unknown-runtime'), containerRuntimeVersion: z.string() }),
]) satisfies z.ZodType<NodeSkipReason>;

/** Of a run with pauses: the wave that the node was begun with in. */
const waveShape = { wave: z.int().positive().optional() };
const removedShape = { removedImages: z.number(), reclaimedBytes: z.number() };
const recordSchema = z.discriminatedUnion('kind', [
  /** Its pod has been seen. */
  z.object({ kind: z.literal('started'), ...waveShape }),
  z.object({ kind: z.literal('succeeded'), ...removedShape, ...waveShape }),
  z.object({ kind: z.literal('failed'), message: z.string(), ...removedShape, ...waveShape }),
  z.object({ kind: z.literal('skipped'), reason: reasonSchema }),
]);
/** `waiting`: nothing is kept. */
export type NodeRecord = z.output<typeof recordSchema> | { readonly kind: 'waiting' };
export type EndedRecord = Extract<NodeRecord, { kind: 'succeeded' | 'failed' | 'skipped' }>;

const nodesSchema = z.array(z.object({ name: z.string(), runtime: z.enum(RUNTIME_NAMES).nullable(), isUnderDiskPressure: z.boolean() }));
const progressSchema = z.record(z.string(), recordSchema);

export interface RunNode {
  readonly name: string;
  /** As it was when the run began; null: it takes no part. */
  readonly participating: ParticipatingNode | null;
  readonly record: NodeRecord;
}

/** About 150 bytes each in one configmap, which is written at every change of one of them. */
const NODES_PER_PART = 500;

/** In parts, in order; at least one. */
export function divideNodes(participating: readonly ParticipatingNode[], skipped: readonly SkippedNode[]): RunNode[][] {
  const nodes: RunNode[] = [
    ...participating.map((node): RunNode => ({ name: node.name, participating: node, record: { kind: 'waiting' } })),
    ...skipped.map(({ name, reason }): RunNode => ({ name, participating: null, record: { kind: 'skipped', reason } as NodeRecord })),
  ];
  const parts = Math.max(1, Math.ceil(nodes.length / NODES_PER_PART));
  return Array.from({ length: parts }, (_, at) => nodes.slice(at * NODES_PER_PART, (at + 1) * NODES_PER_PART));
}

export function formatNodes(nodes: readonly RunNode[]): Record<string, string> {
  const fixed = nodes.map(({ name, participating }) => ({
    name,
    runtime: participating?.runtime ?? null,
    isUnderDiskPressure: participating?.isUnderDiskPressure ?? false,
  }));
  const progress = nodes.filter(({ record }) => record.kind !== 'waiting').map(({ name, record }) => [name, record] as const);
  return { [NODES_KEY]: JSON.stringify(fixed), [PROGRESS_KEY]: JSON.stringify(Object.fromEntries(progress)) };
}

export function parseNodes(data: Readonly<Record<string, string>>): Parsed<RunNode[]> {
  const nodes = parseWith(nodesSchema, parseJson(data[NODES_KEY] ?? ''));
  if (!nodes.ok) return nodes;
  const progress = parseWith(progressSchema, parseJson(data[PROGRESS_KEY] ?? ''));
  if (!progress.ok) return progress;
  const records = new Map(Object.entries(progress.value));
  return {
    ok: true,
    value: nodes.value.map(({ name, runtime, isUnderDiskPressure }) => ({
      name,
      participating: runtime === null ? null : { name, runtime, isUnderDiskPressure },
      record: records.get(name) ?? { kind: 'waiting' },
    })),
  };
}

export function hasOutcome(record: NodeRecord): record is EndedRecord {
  return record.kind !== 'waiting' && record.kind !== 'started';
}

/** Absent: it was not begun with, or its run has no pauses. */
export function waveOf(record: NodeRecord): number | undefined {
  return record.kind === 'waiting' || record.kind === 'skipped' ? undefined : record.wave;
}

/** A node that is skipped at its turn leaves its place in the wave to another. */
export function withWave(record: NodeRecord, wave: number | undefined): NodeRecord {
  return wave === undefined || record.kind === 'waiting' || record.kind === 'skipped' ? record : { ...record, wave };
}

export function outcomeOf(record: NodeRecord): NodeOutcome {
  return hasOutcome(record) ? record : { kind: 'unfinished' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
