import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import * as z from 'zod';
import { JOB_UID_LABEL } from '../core/cluster/worker-pod.ts';
import { hasCode } from '../kube/kube-error.ts';
import { PODS } from '../kube/resource.ts';
import { askHistory } from './ask-history.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { logsSchema } from './history-schemas.ts';
import { listJobs } from './read-jobs.ts';

export interface LogQuery {
  /** Name or uid of the job. */
  readonly run: string;
  readonly node?: string;
  readonly container?: string;
  /** Goes on as long as the run does. */
  readonly follow: boolean;
}

export interface LogLine {
  readonly node: string;
  readonly container: string;
  readonly line: string;
}

export interface ReadLogsOptions {
  readonly onLine: (line: LogLine) => void;
  /** Told of what is no longer there. */
  readonly onGap: (message: string) => void;
  readonly pause: (ms: number) => Promise<unknown>;
}

const LOOK_EVERY_MS = 1_000;

/**
 * What the containers of a run have logged: of a worker pod that is there from the API server, of those that are gone from the history. Gives the
 * number of lines. @throws ClusterError `not-found`
 */
export async function readLogs(site: ClusterSite, query: LogQuery, options: ReadLogsOptions): Promise<number> {
  const job = (await listJobs(site)).find(({ name, uid }) => name === query.run || uid === query.run);
  const lines = { count: 0 };
  const onLine = (line: LogLine): void => {
    lines.count += 1;
    options.onLine(line);
  };
  const shown = job === undefined ? new Set<string>() : await readLiving(site, query, { uid: job.uid, onLine, pause: options.pause });
  const isKnown = await readGone(site, query, { job: job?.uid ?? query.run, shown, onLine, onGap: options.onGap });
  if (job === undefined && !isKnown) {
    const hint = '`image-cleaner cluster history` lists the runs.';
    throw new ClusterError({ code: 'not-found', message: `There is no run ${query.run}, and the history knows of none`, hint });
  }
  return lines.count;
}

interface Living extends Pick<ReadLogsOptions, 'onLine' | 'pause'> {
  readonly uid: string;
}

/** Of the pods that there are. Gives those that were told, as `POD/CONTAINER`. */
async function readLiving(site: ClusterSite, query: LogQuery, { uid, onLine, pause }: Living): Promise<ReadonlySet<string>> {
  const shown = new Set<string>();
  const streams = new Map<string, Promise<void>>();
  const faults: unknown[] = [];
  for (;;) {
    const isUnderWay = query.follow && (await isRunning(site, uid));
    const pods = (await listWorkerPods(site, uid)).filter(({ node }) => query.node === undefined || node === query.node);
    const containers = pods.flatMap((pod) => pod.containers.map((container) => ({ ...pod, container, key: `${pod.name}/${container}` })));
    const fresh = containers.filter(({ container, key }) => isWanted(query, container) && !shown.has(key) && !streams.has(key));
    for (const { name, node, container, key } of fresh) {
      const stream = streamLog(site, { pod: name, container, follow: query.follow }, (line) => onLine({ node, container, line }));
      // One that is gone by now is in the history.
      const told = stream.then(
        (hasBeen) => {
          if (hasBeen) shown.add(key);
        },
        (error: unknown) => faults.push(error),
      );
      streams.set(
        key,
        told.then(() => void streams.delete(key)),
      );
    }
    // Nodes have their turns one after the other: while some are followed, others begin.
    if (!isUnderWay) break;
    await pause(LOOK_EVERY_MS);
    site.call.signal.throwIfAborted();
    if (faults.length > 0) throw faults[0];
  }
  await Promise.all(streams.values());
  if (faults.length > 0) throw faults[0];
  return shown;
}

function isWanted({ container }: LogQuery, name: string): boolean {
  return container === undefined || container === name;
}

async function isRunning(site: ClusterSite, uid: string): Promise<boolean> {
  return (await listJobs(site)).some((job) => job.uid === uid && job.endedAt === null);
}

const podSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ nodeName: z.string().optional(), containers: z.array(z.object({ name: z.string() })) }),
  status: z.object({
    containerStatuses: z
      .array(z.object({ name: z.string(), state: z.object({ waiting: z.unknown().optional() }).default({ waiting: undefined }) }))
      .default([]),
  }),
});

interface LoggingPod {
  readonly name: string;
  readonly node: string;
  /** Those that have started. */
  readonly containers: readonly string[];
}

async function listWorkerPods({ client, namespace, call }: ClusterSite, uid: string): Promise<LoggingPod[]> {
  const trim = (object: unknown): LoggingPod | null => {
    const pod = podSchema.safeParse(object).data;
    if (pod?.spec.nodeName === undefined) return null;
    const started = pod.status.containerStatuses.filter(({ state }) => state.waiting === undefined).map(({ name }) => name);
    return { name: pod.metadata.name, node: pod.spec.nodeName, containers: started };
  };
  const { items } = await client.list({ resource: PODS, namespace }, { labelSelector: `${JOB_UID_LABEL}=${uid}`, trim }, call);
  return items.flatMap((pod) => pod ?? []);
}

/** false: it is gone, and nothing was told. */
async function streamLog(
  { client, namespace, call }: ClusterSite,
  { pod, container, follow }: { readonly pod: string; readonly container: string; readonly follow: boolean },
  onLine: (line: string) => void,
): Promise<boolean> {
  try {
    const log = await client.podLog({ resource: PODS, namespace, name: pod }, { container, follow }, call.signal);
    for await (const line of createInterface({ input: Readable.from(log) })) onLine(line);
    return true;
  } catch (error) {
    // "invalid": the container is about to be gone, or has not begun.
    if (hasCode(error, 'not-found', 'invalid', 'server-error')) return false;
    throw error;
  }
}

interface Gone extends Pick<ReadLogsOptions, 'onLine' | 'onGap'> {
  /** Its uid or name. */
  readonly job: string;
  /** `POD/CONTAINER`. */
  readonly shown: ReadonlySet<string>;
}

/** false: the history has no such job. */
async function readGone(site: ClusterSite, query: LogQuery, { job, shown, onLine, onGap }: Gone): Promise<boolean> {
  const node = query.node === undefined ? [] : ['--node', query.node];
  const logs = await askHistory(site, logsSchema, ['--job', job, '--logs', ...node]);
  if (logs === null) return false;
  const wanted = logs.filter(({ podName, container }) => isWanted(query, container) && !shown.has(`${podName}/${container}`));
  for (const { node: name, container, lines, missingPieces } of wanted) {
    if (missingPieces > 0) onGap(`of the log of ${container} on ${name} the oldest part is no longer kept`);
    for (const line of lines) onLine({ node: name, container, line });
  }
  return true;
}
