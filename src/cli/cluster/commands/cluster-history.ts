import { askHistory } from '../../../cluster/ask-history.ts';
import { ClusterError } from '../../../cluster/cluster-error.ts';
import type { ClusterSite } from '../../../cluster/cluster-site.ts';
import { imageDecisionsSchema, jobsSchema, nodeRunsSchema } from '../../../cluster/history-schemas.ts';
import { badUsage } from '../../cli-error.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { screenOf } from '../../output/terminal.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { TimeBound } from '../../parsed-options.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';
import { formatHistoryJobs, formatImageDecisions, formatNodeRuns } from '../output/format-cluster-history.ts';

export interface ClusterHistoryOptions extends ClusterOutputOptions {
  readonly image?: string;
  readonly node?: string;
  readonly since?: TimeBound;
  readonly limit?: number;
}

/** `image-cleaner cluster history [RUN]`: of a run on all nodes, what each node came to, and why. */
export async function clusterHistory(context: CliContext, run: string | undefined, options: ClusterHistoryOptions): Promise<ExitCode> {
  if (run !== undefined && (options.image !== undefined || options.since !== undefined || options.limit !== undefined))
    throw badUsage('A run excludes --image, --since and --limit: all of it is shown.');
  if (run === undefined && options.image === undefined && options.node !== undefined)
    throw badUsage('--node needs a run or --image.', '`image-cleaner cluster history` lists the runs.');
  const { output } = options;
  const screen = screenOf(context, context.stdout);
  return withSite(context, options, async (site) => {
    if (run !== undefined) {
      const nodes = await readRun(site, run, options.node);
      await writeDocument(context.stdout, output, nodes, () => formatNodeRuns(run, nodes, screen));
    } else if (options.image !== undefined) {
      const asked = ['--image', options.image, ...given('--node', options.node), ...given('--limit', options.limit)];
      const decisions = await askHistory(site, imageDecisionsSchema, asked);
      if (decisions === null || decisions.length === 0) throw unknown(`image named "${options.image}"${onNode(options.node)}`);
      await writeDocument(context.stdout, output, decisions, () => formatImageDecisions(decisions, screen));
    } else {
      const jobs =
        (await askHistory(site, jobsSchema, ['--jobs', ...since(context, options.since), ...given('--limit', options.limit)])) ?? [];
      await writeDocument(context.stdout, output, jobs, () => formatHistoryJobs(jobs, screen));
    }
    return EXIT.done;
  });
}

async function readRun(site: ClusterSite, run: string, node: string | undefined) {
  const nodes = await askHistory(site, nodeRunsSchema, ['--job', run, ...given('--node', node)]);
  if (nodes === null) throw unknown(`run ${run}`);
  return nodes.toSorted((one, other) => (one.node.name < other.node.name ? -1 : 1));
}

function unknown(what: string): ClusterError {
  return new ClusterError({
    code: 'not-found',
    message: `The history of the cluster knows no ${what}`,
    hint: '`image-cleaner cluster history` lists the runs.',
  });
}

function onNode(node: string | undefined): string {
  return node === undefined ? '' : ` on the node ${node}`;
}

function given(flag: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [flag, String(value)];
}

/** By the clock of this machine, as a time. */
function since({ now }: CliContext, bound: TimeBound | undefined): string[] {
  return bound === undefined ? [] : ['--since', new Date(bound.at ?? now() - (bound.ago ?? 0)).toISOString()];
}
