import type { ImageJob } from '../../src/api/image-job.ts';

/** Which nodes have failed and why, as the job tells it. */
export function readNodeFaults(job: ImageJob | undefined): string {
  return job?.status?.conditions?.find(({ type }) => type === 'Failed')?.message ?? '';
}
