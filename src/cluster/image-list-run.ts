import { API_GROUP } from '../api/custom-resource.ts';
import type { ImageJob } from '../api/image-job.ts';
import { IMAGE_LIST_NAME, parseImageList, type ImageList } from '../api/image-list.ts';
import { compileImageList } from '../core/image-list.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import type { FindJob } from './follow-run.ts';
import { IMAGE_LISTS } from './own-kinds.ts';
import { isSpecOf, planListWrite } from './plan-list-write.ts';

/** As the API server names who writes by this program's `User-Agent`. */
const FIELD_MANAGER = 'image-cleaner';
const NO_META = { labels: {}, annotations: {} };
const REFERENCE = { resource: IMAGE_LISTS, name: IMAGE_LIST_NAME };

/** The version of the list that a run is for. */
export interface ListVersion {
  readonly uid: string;
  readonly generation: number;
}

/** Throws when the manager would refuse one of them, as it would. */
export function refuseBadImages(images: readonly string[]): void {
  const compiled = compileImageList(images);
  if (compiled.ok) return;
  const problems = compiled.errors.map(({ entry, message }) => `"${entry}": ${message}`);
  throw new ClusterError({
    code: 'bad-value',
    message: `These are no images:\n${problems.join('\n')}`,
    hint: 'Nothing is removed, of the others neither.',
  });
}

/** Makes the list that acts one of these images, so that its run begins. */
export async function writeImageList(
  { client, call }: ClusterSite,
  { images, replaceList }: { readonly images: readonly string[]; readonly replaceList: boolean },
): Promise<ListVersion> {
  const existing = await client.find(REFERENCE, call);
  const isOurs = existing !== null && isSpecOf(existing.metadata['managedFields'], FIELD_MANAGER);
  const write = planListWrite({ existing: existing === null ? null : readList(existing), isOurs, images, replaceList });
  if (write.kind === 'change' && existing !== null) {
    return versionOf(await client.update(REFERENCE, { ...existing, spec: { images } }, call));
  }
  if (existing !== null) {
    const { uid = '', resourceVersion = '' } = existing.metadata;
    // One that has changed meanwhile is not lost.
    await client.delete(REFERENCE, { preconditions: { uid, resourceVersion } }, call);
  }
  const { labels, annotations } = existing === null ? NO_META : readList(existing).metadata;
  const metadata = { name: IMAGE_LIST_NAME, labels, annotations };
  const list = { apiVersion: `${API_GROUP}/v1`, kind: 'ImageList', metadata, spec: { images } };
  return versionOf(await client.create({ resource: IMAGE_LISTS }, list, call));
}

/** Finds the job of a version of the list; throws when there will be none. */
export function findListJob(version: () => ListVersion, readNow: () => Promise<ImageList | null>): FindJob {
  return async ({ all }) => {
    const job = all.find((candidate) => isFor(candidate, version()));
    if (job !== undefined) return { job };
    const list = await readNow();
    const { uid, generation } = version();
    if (list?.metadata.uid !== uid || list.metadata.generation !== generation) throw changed();
    return { job: null, why: whyItWaits(list) };
  };
}

export async function readImageList({ client, call }: ClusterSite): Promise<ImageList | null> {
  const object = await client.find(REFERENCE, call);
  return object === null ? null : readList(object);
}

/** Whether the manager has told in the list what came of its run: before, its next version would have to wait. */
export function isWorkedOff({ metadata, status }: ImageList): boolean {
  const isReconciling = status?.conditions?.some(({ type, status: is }) => type === 'Reconciling' && is === 'True') ?? true;
  return status?.observedGeneration === metadata.generation && status.timestamp !== undefined && !isReconciling;
}

function isFor({ metadata: { annotations } }: ImageJob, { uid, generation }: ListVersion): boolean {
  return annotations['eraser.sh/image-list-uid'] === uid && annotations['eraser.sh/image-list-generation'] === String(generation);
}

/** Faults of names it has none: they were looked at before it was sent. */
function whyItWaits({ metadata, status }: ImageList): string | null {
  if (status?.observedGeneration !== metadata.generation) return null;
  return status.conditions?.find(({ type, status: is }) => type === 'Stalled' && is === 'True')?.message ?? null;
}

function readList(object: KubeObject): ImageList {
  const parsed = parseImageList(object);
  if (parsed.ok) return parsed.value;
  const problems = parsed.errors.map(({ path, message }) => `${path}: ${message}`).join('; ');
  throw new ClusterError({ code: 'not-ready', message: `The ImageList ${IMAGE_LIST_NAME} cannot be read: ${problems}` });
}

function versionOf(object: KubeObject): ListVersion {
  const { uid, generation } = readList(object).metadata;
  return { uid, generation };
}

function changed(): ClusterError {
  return new ClusterError({
    code: 'refused',
    message: `The ImageList ${IMAGE_LIST_NAME} was changed or deleted by somebody else before its run began`,
    hint: 'Look at it: kubectl get imagelist imagelist -o yaml',
  });
}
