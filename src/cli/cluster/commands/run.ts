import { randomUUID } from 'node:crypto';
import type { ClusterSite } from '../../../cluster/cluster-site.ts';
import { findRequestedJob, findRunUnderWay } from '../../../cluster/find-requested-job.ts';
import type { FindJob } from '../../../cluster/follow-run.ts';
import { requireManager } from '../../../cluster/require-manager.ts';
import { readRunRequests, refuseWithoutAutomaticRuns, requestRun } from '../../../cluster/run-request.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { writeDocument } from '../../output/write-document.ts';
import type { ClusterOutputOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';
import { followToEnd, writeRunEnd, type FollowCommandOptions } from '../follow-to-end.ts';

export interface RunOptions extends ClusterOutputOptions, FollowCommandOptions {
  readonly wait: boolean;
  readonly attach: boolean;
}

/** `image-cleaner cluster run`: asks for an automatic run, and follows it to its end. */
export async function run(context: CliContext, options: RunOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const found = await requireManager(site);
    const readRequests = (): ReturnType<typeof readRunRequests> => readRunRequests(site);
    if (options.attach) return follow(context, site, { ...options, find: findRunUnderWay(readRequests), begin: () => Promise.resolve() });
    refuseWithoutAutomaticRuns(found);
    const token = randomUUID();
    const begin = (): Promise<void> => requestRun(site, token);
    if (options.wait) return follow(context, site, { ...options, find: findRequestedJob(token, readRequests), begin });
    await begin();
    await writeDocument(context.stdout, options.output, { request: token }, () => ASKED);
    return EXIT.done;
  });
}

const ASKED = 'A run is asked for.\nTo follow it: image-cleaner cluster run --attach. To look at it: image-cleaner cluster status\n';

async function follow(
  context: CliContext,
  site: ClusterSite,
  options: FollowCommandOptions & { readonly find: FindJob; readonly begin: () => Promise<void> },
): Promise<ExitCode> {
  return writeRunEnd(context, options.output, await followToEnd(context, site, options));
}
