import { API_GROUP } from '../../api/custom-resource.ts';
import { JOB_OWNER_LABEL, JOB_OWNERS, LATE_NODES_LABEL, parseImageJob, type ImageJob } from '../../api/image-job.ts';
import { RUN_REQUEST_ANNOTATION } from '../../api/run-request.ts';
import type { ImageListVersion } from '../../core/cluster/image-list-due.ts';
import type { Sha256 } from '../../core/cluster/pod-name.ts';
import type { RawObject } from '../raw-object.ts';

export type RunKind = 'automatic' | 'manual';

/** Which version of the ImageList a manual job is for. */
const LIST_UID_ANNOTATION = 'eraser.sh/image-list-uid';
const LIST_GENERATION_ANNOTATION = 'eraser.sh/image-list-generation';

/** Of an automatic run by its start, in milliseconds since the epoch: `imagejob-20261121t031500000z`. */
export function automaticJobName(startedAt: number): string {
  return `imagejob-${new Date(startedAt).toISOString().toLowerCase().replaceAll(/[-:.]/g, '')}`;
}

/** The same for the same version of a list, and no other. */
export function manualJobName({ uid, generation }: ImageListVersion, sha256: Sha256): string {
  return `imagejob-list-${sha256(uid).slice(0, 10)}-${generation}`;
}

export interface AutomaticJobFacts {
  /** The token of the request that it is begun for; null: it was due. */
  readonly request?: string | null;
  /** The job of the run whose late nodes it is for; null: it is for all nodes. */
  readonly lateNodesOf?: string | null;
}

export function makeAutomaticJob(name: string, { request = null, lateNodesOf = null }: AutomaticJobFacts = {}): object {
  const labels = lateNodesOf === null ? {} : { [LATE_NODES_LABEL]: lateNodesOf };
  return makeJob(name, 'automatic', { annotations: request === null ? {} : { [RUN_REQUEST_ANNOTATION]: request }, labels });
}

export function makeManualJob(name: string, { uid, generation }: ImageListVersion): object {
  const annotations = { [LIST_UID_ANNOTATION]: uid, [LIST_GENERATION_ANNOTATION]: String(generation) };
  return makeJob(name, 'manual', { annotations, labels: {} });
}

type Texts = Readonly<Record<string, string>>;

function makeJob(name: string, kind: RunKind, { annotations, labels }: { readonly annotations: Texts; readonly labels: Texts }): object {
  const metadata = { name, labels: { ...labels, [JOB_OWNER_LABEL]: JOB_OWNERS[kind] }, annotations };
  return { apiVersion: `${API_GROUP}/v1`, kind: 'ImageJob', metadata };
}

/** null: it is none of ours. */
export function runKindOf({ metadata }: ImageJob): RunKind | null {
  const owner = metadata.labels[JOB_OWNER_LABEL];
  if (owner === JOB_OWNERS.automatic) return 'automatic';
  return owner === JOB_OWNERS.manual ? 'manual' : null;
}

/** Of the run before it, which those nodes missed. */
export function isForLateNodes({ metadata }: ImageJob): boolean {
  return metadata.labels[LATE_NODES_LABEL] !== undefined;
}

/** null: the job does not say. */
export function listVersionOf({ metadata: { annotations } }: ImageJob): ImageListVersion | null {
  const uid = annotations[LIST_UID_ANNOTATION];
  const generation = annotations[LIST_GENERATION_ANNOTATION];
  return uid === undefined || generation === undefined || !/^[0-9]{1,15}$/.test(generation)
    ? null
    : { uid, generation: Number(generation) };
}

export function hasEnded({ status }: ImageJob): boolean {
  return status?.phase === 'Completed' || status?.phase === 'Failed';
}

/** The API server keeps to the definition: an object that cannot be read is a fault. */
export function readImageJob(raw: RawObject): ImageJob {
  const parsed = parseImageJob(raw);
  if (parsed.ok) return parsed.value;
  throw new Error(
    `the ImageJob ${raw.metadata.name} cannot be read: ${parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('; ')}`,
  );
}
