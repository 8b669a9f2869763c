import type { Condition } from '../api/condition.ts';
import { JOB_OWNER_LABEL, JOB_OWNERS, type ImageJob } from '../api/image-job.ts';
import { RUN_REQUEST_ANNOTATION } from '../api/run-request.ts';
import { ClusterError } from './cluster-error.ts';
import type { FindJob, JobsInSight } from './follow-run.ts';
import type { RunRequests } from './run-request.ts';

/**
 * Finds the job of the run that was asked for with this token. Where another has asked since, before the manager has answered, theirs serves both:
 * it begins later.
 */
export function findRequestedJob(asked: string, readRequests: () => Promise<RunRequests>): FindJob {
  let token = asked;
  return async (jobs) => {
    const found = jobOf(token, jobs);
    if (found !== undefined) return { job: found };
    const requests = await readRequests();
    const isAnswered = requests.answered?.token === token;
    if (isAnswered && requests.answered.job === null) throw refused(requests.conditions);
    if (!isAnswered && requests.asked !== token) {
      if (requests.asked === null) throw takenBack();
      token = requests.asked;
    }
    return { job: null, why: whyItWaits(jobs, requests.conditions) };
  };
}

/** Finds what is under way, an automatic run first, or what was asked for and has not begun. */
export function findRunUnderWay(readRequests: () => Promise<RunRequests>): FindJob {
  return async (jobs) => {
    const [job] = jobs.underWay.toSorted((a, b) => Number(isAutomatic(b)) - Number(isAutomatic(a)));
    if (job !== undefined) return { job };
    const { asked, answered, begun, conditions } = await readRequests();
    if (begun.length > 0 || (asked !== null && answered?.token !== asked)) return { job: null, why: whyItWaits(jobs, conditions) };
    throw new ClusterError({
      code: 'not-ready',
      message: 'No run is under way, and none is asked for',
      hint: 'To have one: image-cleaner cluster run',
    });
  };
}

function jobOf(token: string, { all }: JobsInSight): ImageJob | undefined {
  return all.find(({ metadata }) => metadata.annotations[RUN_REQUEST_ANNOTATION] === token);
}

function isAutomatic({ metadata }: ImageJob): boolean {
  return metadata.labels[JOB_OWNER_LABEL] === JOB_OWNERS.automatic;
}

function whyItWaits({ underWay }: JobsInSight, conditions: readonly Condition[]): string | null {
  const before = underWay.find(isAutomatic);
  if (before !== undefined) return `The run ${before.metadata.name} is under way; the one that is asked for comes after it.`;
  return conditions.find(({ type, status }) => type === 'ExclusionsAccepted' && status === 'False')?.message ?? null;
}

function refused(conditions: readonly Condition[]): ClusterError {
  const condition = conditions.find(({ type, status }) => type === 'RunRequestAccepted' && status === 'False');
  return new ClusterError({ code: 'refused', message: `The manager refuses the run: ${condition?.message ?? 'it does not say why'}` });
}

function takenBack(): ClusterError {
  return new ClusterError({
    code: 'refused',
    message: `The request was taken back: the annotation ${RUN_REQUEST_ANNOTATION} of the configuration is gone`,
    hint: 'To ask again: image-cleaner cluster run',
  });
}
