import { makeAutomaticJob } from '../../../src/controller/image-job/image-job-object.ts';
import type { RawObject } from '../../../src/controller/raw-object.ts';
import { podName } from '../../../src/core/cluster/pod-name.ts';
import { indexOf, jobName, jobUid, nodeName, podUid, type NodeHealth, type Pod } from './state.ts';

/** What a worker removes, wherever it runs. */
export const REMOVED = { removedImages: 1, reclaimedBytes: 10 };

/** Readable, and as long as a name has room for. */
export const sha256 = (text: string): string => text.replace('\n', '-');
export const podNameOf = (job: number, node: number): string => podName({ jobUid: jobUid(job), node: nodeName(node) }, sha256);

/** Whose pod it is, by its name. */
export function placeOf(name: string): { readonly job: number; readonly node: number } {
  const [, job, node] = /uid-(\d+)-n(\d+)$/.exec(name) ?? [];
  if (job === undefined || node === undefined) throw new Error(`${name} is no name of a worker pod`);
  return { job: Number(job), node: Number(node) };
}

/** What the API server shows of a pod. */
export function lookOf({ job, node, copy, at, isDeleting }: Pick<Pod, 'job' | 'node' | 'copy' | 'at' | 'isDeleting'>): string {
  return `${String(job)} ${String(node)} ${String(copy)} ${at}${isDeleting ? ' deleting' : ''}`;
}

const SAID = JSON.stringify({ removed: REMOVED.removedImages, reclaimedBytes: REMOVED.reclaimedBytes });
const RUNNING = { running: {} };
const EXITED = { terminated: { exitCode: 0, message: '' } };
const DONE = { terminated: { exitCode: 0, message: SAID } };
const BROKEN = { terminated: { exitCode: 1, reason: 'Error', message: SAID } };
const STATUS = {
  new: { phase: 'Pending' },
  running: { phase: 'Running', containerStatuses: containers(RUNNING, RUNNING) },
  failing: { phase: 'Running', containerStatuses: containers(BROKEN, RUNNING) },
  succeeded: { phase: 'Succeeded', containerStatuses: containers(EXITED, DONE) },
  failed: { phase: 'Failed', containerStatuses: containers(EXITED, BROKEN) },
} satisfies Record<Pod['at'], object>;

function containers(collector: object, remover: object): object[] {
  return [
    { name: 'collector', state: collector },
    { name: 'remover', state: remover },
  ];
}

export function rawPod(look: string): RawObject {
  const [job = '', node = '', copy = '', at = 'new', deleting] = look.split(' ');
  const place = { job: Number(job), node: Number(node) };
  const owner = { kind: 'ImageJob', name: jobName(place.job), uid: jobUid(place.job) };
  return {
    metadata: {
      name: podNameOf(place.job, place.node),
      uid: podUid({ ...place, copy: Number(copy) }),
      ownerReferences: [owner],
      ...(deleting === undefined ? {} : { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: { nodeName: nodeName(place.node) },
    status: STATUS[at as Pod['at']],
  };
}

/** null: there is none. */
export function rawNode(node: number, health: NodeHealth): RawObject | null {
  if (health === 'gone') return null;
  const status = {
    conditions: [{ type: 'Ready', status: health === 'ready' ? 'True' : 'Unknown' }],
    nodeInfo: { containerRuntimeVersion: 'containerd://2.0', operatingSystem: 'linux' },
  };
  return { metadata: { name: nodeName(node), labels: {} }, status };
}

/** `status`: as JSON; null: it has none. */
export function rawJob(job: number, status: string | null): RawObject {
  const raw = makeAutomaticJob(jobName(job)) as RawObject;
  const metadata = { ...raw.metadata, uid: jobUid(job), resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };
  return { ...raw, metadata, ...(status === null ? {} : { status: JSON.parse(status) as object }) };
}

export function withVersion(object: RawObject, version: number): RawObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

/** Of a configmap of a run: its job. */
export function jobOf({ metadata }: RawObject): number {
  const [owner] = metadata['ownerReferences'] as readonly { readonly uid: string }[];
  return indexOf(owner?.uid ?? '');
}
