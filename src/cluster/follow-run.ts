import { parseImageJob, type ImageJob } from '../api/image-job.ts';
import { JOB_UID_LABEL } from '../core/cluster/worker-pod.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { PODS } from '../kube/resource.ts';
import { formatDuration } from '../platform/duration.ts';
import type { Timing } from '../platform/timing.ts';
import { Bell } from './bell.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import type { FollowEvent } from './follow-event.ts';
import { IMAGE_JOBS } from './own-kinds.ts';
import { hasEnded, runEndOf, type RunEnd } from './run-end.ts';
import { ProgressTeller } from './run-progress.ts';
import { withWatched, type Watched } from './watched.ts';
import { viewOfWorker, type NodeView } from './worker-view.ts';

/** Looks for the job of a run. `why`: what it waits for, as far as it is known. Throws when there will be none. */
export type FindJob = (jobs: JobsInSight) => Promise<{ readonly job: ImageJob } | { readonly job: null; readonly why: string | null }>;

export interface JobsInSight {
  /** As they were last seen, also those that are gone by now. */
  readonly all: readonly ImageJob[];
  /** Of all, those that have not ended, and are there. */
  readonly underWay: readonly ImageJob[];
}

export interface FollowOptions {
  /** Called once all jobs are in sight, so that none is missed: asks for the run. */
  readonly begin: () => Promise<void>;
  readonly find: FindJob;
  readonly onEvent: (event: FollowEvent) => void;
  /** How long it may take, milliseconds; null: as long as it takes. */
  readonly timeoutMs: number | null;
  readonly timing: Timing;
}

/** How often it is asked what a run waits for, and looked whether its time is over. */
const LOOK_MS = 1_000;
/** Pods change in swarms. */
const SWARM_MS = 100;
/** How long containers may take to end whose results are on record already. */
const LEAVING_MS = 3_000;
/** A manager that is at work answers within a second or two. */
const USUAL_MS = 20_000;
const NO_ANSWER = 'The manager has not answered yet. One of an earlier version may not know of it: image-cleaner cluster version';

/** Follows a run from before its beginning to its end. */
export async function followRun(site: ClusterSite, options: FollowOptions): Promise<RunEnd> {
  const { timing, timeoutMs } = options;
  const bell = new Bell();
  const until = timeoutMs === null ? Infinity : timing.now() + timeoutMs;
  /** Until something has changed, or it is time to look all the same. */
  const pause = async (): Promise<void> => {
    if (timing.now() >= until) throw timedOut(timeoutMs ?? 0);
    await bell.wait(timing, LOOK_MS, site.call.signal);
    await timing.sleep(SWARM_MS, site.call.signal);
  };
  const watchedJobs = { collection: { resource: IMAGE_JOBS }, trim: readJob, onChange: bell.ring, timing };
  return withWatched(site, watchedJobs, async (jobs) => {
    await options.begin();
    const { name, uid } = (await untilFound(jobs, options, pause)).metadata;
    const selector = { collection: { resource: PODS, namespace: site.namespace }, labelSelector: `${JOB_UID_LABEL}=${uid}` };
    return withWatched(site, { ...selector, trim: viewOfWorker, onChange: bell.ring, timing }, (pods) =>
      untilEnded({ jobs, pods, name }, options, pause),
    );
  });
}

type Pause = () => Promise<void>;

async function untilFound(jobs: Watched<ImageJob | null>, { find, onEvent, timing }: FollowOptions, pause: Pause): Promise<ImageJob> {
  const since = timing.now();
  let told: string | null = null;
  for (;;) {
    const all = [...jobs.seen.values()].filter((job) => job !== null);
    const underWay = all.filter((job) => !hasEnded(job) && jobs.isThere(job.metadata.name));
    const found = await find({ all, underWay });
    if (found.job !== null) return found.job;
    const why = found.why ?? (timing.now() - since > USUAL_MS ? NO_ANSWER : null);
    if (why !== null && why !== told) onEvent({ kind: 'waiting', why: (told = why) });
    await pause();
  }
}

interface InSight {
  readonly jobs: Watched<ImageJob | null>;
  readonly pods: Watched<NodeView | null>;
  readonly name: string;
}

async function untilEnded({ jobs, pods, name }: InSight, { onEvent, timing }: FollowOptions, pause: Pause): Promise<RunEnd> {
  const teller = new ProgressTeller(onEvent);
  let endedAt: number | null = null;
  for (;;) {
    const job = jobs.seen.get(name) ?? null;
    if (job === null) throw new ClusterError({ code: 'not-ready', message: `The ImageJob ${name} cannot be read` });
    const views = [...pods.seen.values()].filter((view) => view !== null);
    teller.tell(job, views);
    if (hasEnded(job)) {
      endedAt ??= timing.now();
      const areLeft = [...pods.seen].some(([key, view]) => pods.isThere(key) && (view?.state === 'running' || view?.state === 'waiting'));
      if (!areLeft || timing.now() - endedAt > LEAVING_MS) return runEndOf(job, views);
    } else if (!jobs.isThere(name)) throw deleted(name);
    await pause();
  }
}

function readJob(object: KubeObject): ImageJob | null {
  const parsed = parseImageJob(object);
  return parsed.ok ? parsed.value : null;
}

function deleted(name: string): ClusterError {
  return new ClusterError({
    code: 'not-ready',
    message: `The ImageJob ${name} was deleted before its end was seen`,
    hint: 'What it removed until then: image-cleaner cluster status',
  });
}

function timedOut(timeoutMs: number): ClusterError {
  return new ClusterError({
    code: 'not-ready',
    message: `After ${formatDuration(timeoutMs)} the run is not over; it goes on`,
    hint: 'To look at it: image-cleaner cluster status. To follow it again: image-cleaner cluster run --attach',
  });
}
