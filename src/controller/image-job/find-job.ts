import type { ImageJob } from '../../api/image-job.ts';
import type { ClusterApi, Copies } from '../ports.ts';
import { readImageJob } from './image-job-object.ts';

/** The job of this name; a copy may be behind, so what it lacks is asked of the API server. */
export async function findJob(
  { api, copies }: { readonly api: Pick<ClusterApi, 'find'>; readonly copies: Pick<Copies, 'imageJobs'> },
  name: string,
  signal: AbortSignal,
): Promise<ImageJob | null> {
  const raw = copies.imageJobs.values().find(({ metadata }) => metadata.name === name) ?? (await api.find('ImageJob', name, signal));
  return raw === null ? null : readImageJob(raw);
}
