import { disable } from '../../cluster/disable.ts';
import type { ClusterSite } from '../../cluster/cluster-site.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { countOf } from '../output/count-of.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { withSite } from './connect-site.ts';

export interface DisableOptions extends ClusterOptions {
  readonly purge: boolean;
  readonly yes: boolean;
  /** Milliseconds. */
  readonly waitTimeout: number;
}

/** What `disable` and `update --disable-image-cleaner` do. */
export async function disableCluster(context: CliContext, options: DisableOptions): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    await takeWorkloadsAway(context, options, site);
    return EXIT.done;
  });
}

async function takeWorkloadsAway(context: CliContext, { waitTimeout }: DisableOptions, site: ClusterSite): Promise<void> {
  const { hadManager, workerPods } = await disable(site, { timeoutMs: waitTimeout, timing: SYSTEM_TIMING });
  const pods = workerPods === 0 ? '' : `, ${countOf(workerPods, 'worker pod')} of runs that were under way`;
  context.stdout.write(
    hadManager || workerPods > 0
      ? `Image Cleaner is disabled in the namespace ${site.namespace}: the manager is gone${pods}. Configuration, exclusions, lists and jobs are kept.\n`
      : `Nothing is enabled in the namespace ${site.namespace}.\n`,
  );
}
