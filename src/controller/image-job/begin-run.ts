import type { ClusterNode } from '../../api/cluster-node.ts';
import type { ExclusionList } from '../../api/exclusion-list.ts';
import type { ImageJob } from '../../api/image-job.ts';
import { IMAGE_LIST_NAME, parseImageList } from '../../api/image-list.ts';
import { asErasers } from '../../core/exclusions/erasers-matching.ts';
import { selectNodes } from '../../core/cluster/select-nodes.ts';
import { JOB_UID_LABEL } from '../../core/cluster/worker-pod.ts';
import type { Protection } from '../../core/plan-facts.ts';
import { RoomError } from '../../platform/errors.ts';
import type { RunInputs } from '../configuration/inputs.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import { makeFrozenConfigMaps, type RunContent } from './frozen-config-maps.ts';
import { listVersionOf, type RunKind } from './image-job-object.ts';
import { listProtections } from './list-protections.ts';
import { divideNodes } from './node-records.ts';
import type { NodeView } from './node-view.ts';

export interface BeginContext {
  readonly api: Pick<ClusterApi, 'find' | 'list' | 'create' | 'deleteAll'>;
  readonly nodes: Pick<NodeView, 'list'>;
  readonly namespace: string;
  /** What stays whatever the users exclude: the images of the cleaner itself. */
  readonly ownExclusions: ExclusionList;
}

export type Begun =
  /** All that the run goes by is stored; its job is not yet told. */
  | { readonly kind: 'frozen'; readonly content: RunContent; readonly objects: readonly RawObject[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string }
  | Held;

/** What the run would go by cannot be read now; nothing is stored of it. */
export interface Held {
  readonly kind: 'held';
  readonly reason: 'NodesUnreadable' | 'WorkloadsUnreadable';
  readonly message: string;
}

/**
 * Stores all that a run goes by: what was stored before, by a controller that did not come to the end of this, is thrown away, since no pod has been
 * made by it.
 */
export async function beginRun(
  context: BeginContext,
  run: {
    readonly job: ImageJob;
    readonly kind: RunKind;
    readonly inputs: RunInputs;
    /** Exclusions may be Eraser's: what they kept stays in this run, too. */
    readonly keepsAsEraser: boolean;
    /** null: it is for all nodes that there are. */
    readonly onlyNodes?: readonly string[] | null;
  },
  signal: AbortSignal,
): Promise<Begun> {
  const { api, namespace } = context;
  const { job, kind, inputs } = run;
  const { configuration } = inputs;
  const list = kind === 'manual' ? await readList(api, job, signal) : { images: null };
  if ('refused' in list) return { kind: 'refused', reason: 'ImageListChanged', message: list.refused };
  const { keptRevisions } = configuration.config.manager;
  const protections = await holdUnless(
    'WorkloadsUnreadable',
    // What is listed goes, whatever workloads want.
    () => (kind === 'manual' ? Promise.resolve(null) : readProtections(api, keptRevisions, signal)),
    signal,
  );
  if (protections.kind === 'held') return protections;
  const nodes = await holdUnless('NodesUnreadable', () => readNodes(context, signal), signal);
  if (nodes.kind === 'held') return nodes;
  const { onlyNodes = null } = run;
  const wanted = onlyNodes === null ? nodes.value : nodes.value.filter(({ name }) => onlyNodes.includes(name));
  const { participating, skipped } = selectNodes(wanted, configuration.nodeFilter);
  const content = {
    configuration: configuration.text,
    exclusions: [context.ownExclusions, ...inputs.exclusions, ...(run.keepsAsEraser ? asErasers(inputs.exclusions) : [])],
    images: list.images,
    protections: protections.value,
    nodes: divideNodes(participating, skipped),
  };
  const { uid, name } = job.metadata;
  await api.deleteAll('ConfigMap', `${JOB_UID_LABEL}=${uid}`, signal);
  const objects: RawObject[] = [];
  for (const object of makeFrozenConfigMaps({ name, uid }, namespace, content)) {
    const created = await api.create('ConfigMap', object, signal);
    if (created.outcome === 'refused') return { kind: 'refused', reason: 'ConfigMapRefused', message: created.message };
    // One of another job of this name, which was deleted a moment ago.
    if (created.outcome === 'exists') throw new Error(`the configmap ${object.metadata.name} is there already`);
    objects.push(created.object);
  }
  return { kind: 'frozen', content, objects };
}

/** What is read can be read later: its API server may be away, or a right be missing. */
class Unreadable extends RoomError<'unreadable'> {}

async function holdUnless<Value>(
  reason: Held['reason'],
  read: () => Promise<Value>,
  signal: AbortSignal,
): Promise<Held | { readonly kind: 'read'; readonly value: Value }> {
  try {
    return { kind: 'read', value: await read() };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof RoomError)) throw error;
    return { kind: 'held', reason, message: [error.message, error.hint ?? ''].join(' ').trim() };
  }
}

async function readNodes({ nodes }: BeginContext, signal: AbortSignal): Promise<ClusterNode[]> {
  return [...(await nodes.list(signal))].map(([name, seen]) => {
    if (seen.kind === 'there') return seen.node;
    const why = seen.kind === 'unreadable' ? seen.message : 'it is gone';
    throw new Unreadable({ code: 'unreadable', message: `the node ${name} cannot be read: ${why}` });
  });
}

async function readProtections(api: BeginContext['api'], keptRevisions: number, signal: AbortSignal): Promise<readonly Protection[]> {
  const listed = await listProtections(api, keptRevisions, signal);
  if (listed.ok) return listed.protections;
  throw new Unreadable({ code: 'unreadable', message: listed.message });
}

/** The images of the version that the job is for, as the API server has it now: with those of another one, it would be their run. */
async function readList(
  api: BeginContext['api'],
  job: ImageJob,
  signal: AbortSignal,
): Promise<{ readonly images: readonly string[] } | { readonly refused: string }> {
  const version = listVersionOf(job);
  const raw = await api.find('ImageList', IMAGE_LIST_NAME, signal);
  const parsed = raw === null ? null : parseImageList(raw);
  if (parsed === null || !parsed.ok) return { refused: 'The ImageList was deleted before its run began.' };
  const { metadata, spec } = parsed.value;
  if (metadata.uid !== version?.uid || metadata.generation !== version.generation)
    return { refused: 'The ImageList was changed before its run began.' };
  return { images: spec?.images ?? [] };
}
