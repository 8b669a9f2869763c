import * as z from 'zod';
import { MANAGER } from '../installation/make-manifest.ts';
import { hasCode } from '../kube/kube-error.ts';
import { DEPLOYMENTS, PODS } from '../kube/resource.ts';
import { ClusterError } from './cluster-error.ts';
import type { ClusterSite } from './cluster-site.ts';
import { readManagerPods } from './read-manager-pods.ts';

/** In our images. */
const PROGRAM = '/usr/bin/image-cleaner';
const CONTAINER = 'manager';
/** Of the manager, unless its flags say otherwise. */
const DEFAULT_HISTORY = '/var/lib/image-cleaner/history.db';
/** A job on a thousand nodes, with all decisions, is a tenth of it. */
const MOST_BYTES = 512 * 1024 * 1024;
/** To read all of that takes SQLite seconds on a busy node. */
const DEADLINE_MS = 120_000;
/** Of the command line in the pod. */
const BAD_USAGE = 2;

const NOTHING_THERE = /^error: the history (has no|knows no) /;

/**
 * What the history of the cluster knows, by a program that is run in the manager's pod: `image-cleaner history` with these options. null: the
 * history has nothing of that.
 */
export async function askHistory<Schema extends z.ZodType>(
  site: ClusterSite,
  schema: Schema,
  options: readonly string[],
): Promise<z.output<Schema> | null> {
  const { client, namespace, call } = site;
  const { name, place } = await findHistory(site);
  const command = [PROGRAM, 'history', ...place, '--output', 'json', ...options] as const;
  const { exitCode, stdout, stderr } = await client
    .exec(
      { resource: PODS, namespace, name },
      { container: CONTAINER, command, mostBytes: MOST_BYTES },
      { ...call, deadlineMs: DEADLINE_MS },
    )
    .catch((error: unknown) => {
      if (!hasCode(error, 'not-found')) throw error;
      throw noPod(namespace, error);
    });
  if (exitCode !== 0) {
    if (NOTHING_THERE.test(stderr)) return null;
    throw failedInPod(`${namespace}/${name}`, exitCode, stderr);
  }
  return parseAnswer(schema, stdout, `${namespace}/${name}`);
}

function parseAnswer<Schema extends z.ZodType>(schema: Schema, stdout: Buffer, pod: string): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(stdout.toString('utf8')));
  } catch (cause) {
    throw new ClusterError({
      code: 'not-ready',
      message: `What image-cleaner in the pod ${pod} told of the history cannot be read`,
      hint: 'It is of another version: image-cleaner cluster version',
      cause,
    });
  }
}

function failedInPod(pod: string, exitCode: number, stderr: string): ClusterError {
  const said = stderr.trim();
  return new ClusterError({
    code: 'not-ready',
    message: `image-cleaner in the pod ${pod} ended with ${String(exitCode)}${said === '' ? '' : `: ${said}`}`,
    hint:
      exitCode === BAD_USAGE && /unknown (option|command)/.test(said)
        ? 'What is installed is older than this program: bring it up to date, or use the program of its version (image-cleaner cluster version).'
        : 'Its history is a file in that pod, or a database that it can reach; image-cleaner cluster status tells how the manager is.',
  });
}

const argsSchema = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.array(z.object({ name: z.string(), args: z.array(z.string()).default([]) })) }) }),
  }),
});

/** The pod that has the history open, and the options by which a program in it finds the history, too. */
async function findHistory(site: ClusterSite): Promise<{ readonly name: string; readonly place: readonly string[] }> {
  const { client, namespace, call } = site;
  const [deployment, { pods }] = await Promise.all([
    client.find({ resource: DEPLOYMENTS, namespace, name: MANAGER }, call),
    readManagerPods(site),
  ]);
  if (deployment === null) {
    throw new ClusterError({
      code: 'not-installed',
      message: `Nothing is installed in the namespace ${namespace}, and the history went with it`,
      hint: 'Name another namespace with --namespace, or install: image-cleaner cluster enable',
    });
  }
  const pod = pods.find(({ isReady }) => isReady) ?? pods.find(({ trouble, node }) => trouble === null && node !== null);
  if (pod === undefined) throw noPod(namespace);
  const args = argsSchema.parse(deployment).spec.template.spec.containers.find(({ name }) => name === CONTAINER)?.args ?? [];
  const passwordFile = flagOf(args, '--history-password-file');
  return {
    name: pod.name,
    place: [
      ...['--history', flagOf(args, '--history') ?? DEFAULT_HISTORY],
      ...(passwordFile === undefined ? [] : ['--history-password-file', passwordFile]),
    ],
  };
}

/** The last one counts, as it does to the manager. */
function flagOf(args: readonly string[], flag: string): string | undefined {
  const at = args.findLastIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return args[at] === flag ? args[at + 1] : args[at]?.slice(flag.length + 1);
}

function noPod(namespace: string, cause?: unknown): ClusterError {
  return new ClusterError({
    code: 'not-ready',
    message: `There is no pod of the manager in the namespace ${namespace} that runs: the history is in it`,
    hint: 'image-cleaner cluster status tells why.',
    cause,
  });
}
