import { parseClusterNode, type ClusterNode } from '../../api/cluster-node.ts';
import type { ExclusionList } from '../../api/exclusion-list.ts';
import type { ImageJob } from '../../api/image-job.ts';
import { IMAGE_LIST_NAME, parseImageList } from '../../api/image-list.ts';
import { selectNodes } from '../../core/cluster/select-nodes.ts';
import { JOB_UID_LABEL } from '../../core/cluster/worker-pod.ts';
import type { RunInputs } from '../configuration/inputs.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import { makeFrozenConfigMaps, type RunContent } from './frozen-config-maps.ts';
import { listVersionOf, type RunKind } from './image-job-object.ts';
import { divideNodes } from './node-records.ts';

export interface BeginContext {
  readonly api: Pick<ClusterApi, 'find' | 'list' | 'create' | 'deleteAll'>;
  readonly namespace: string;
  /** What stays whatever the users exclude: the images of the cleaner itself. */
  readonly ownExclusions: ExclusionList;
}

export type Begun =
  /** All that the run goes by is stored; its job is not yet told. */
  | { readonly kind: 'frozen'; readonly content: RunContent; readonly objects: readonly RawObject[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly message: string };

/**
 * Stores all that a run goes by: what was stored before, by a controller that did not come to the end of this, is thrown away, since no pod has been
 * made by it.
 */
export async function beginRun(
  context: BeginContext,
  run: { readonly job: ImageJob; readonly kind: RunKind; readonly inputs: RunInputs },
  signal: AbortSignal,
): Promise<Begun> {
  const { api, namespace } = context;
  const { job, kind, inputs } = run;
  const list = kind === 'manual' ? await readList(api, job, signal) : { images: null };
  if ('refused' in list) return { kind: 'refused', reason: 'ImageListChanged', message: list.refused };
  const { uid, name } = job.metadata;
  await api.deleteAll('ConfigMap', `${JOB_UID_LABEL}=${uid}`, signal);
  const nodes = await api.list('Node', { trim: readNode }, signal);
  const { participating, skipped } = selectNodes(nodes, inputs.configuration.nodeFilter);
  const content = {
    configuration: inputs.configuration.text,
    exclusions: [context.ownExclusions, ...inputs.exclusions],
    images: list.images,
    nodes: divideNodes(participating, skipped),
  };
  const objects = makeFrozenConfigMaps({ name, uid }, namespace, content);
  for (const object of objects) {
    const created = await api.create('ConfigMap', object, signal);
    if (created.outcome === 'refused') return { kind: 'refused', reason: 'ConfigMapRefused', message: created.message };
    // One of another job of this name, which was deleted a moment ago.
    if (created.outcome === 'exists') throw new Error(`the configmap ${object.metadata.name} is there already`);
  }
  return { kind: 'frozen', content, objects };
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

function readNode(object: RawObject): ClusterNode {
  const parsed = parseClusterNode(object);
  if (parsed.ok) return parsed.value;
  throw new Error(
    `the node ${object.metadata.name} cannot be read: ${parsed.errors.map(({ path, message }) => `${path} ${message}`).join('; ')}`,
  );
}
