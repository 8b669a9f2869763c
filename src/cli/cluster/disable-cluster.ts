import { disable } from '../../cluster/disable.ts';
import { listLosses, purge, requirePurgeable, type PurgedNamespace } from '../../cluster/purge.ts';
import type { ClusterSite } from '../../cluster/cluster-site.ts';
import { SYSTEM_TIMING } from '../../platform/timing.ts';
import type { CliContext } from '../context.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { countOf } from '../output/count-of.ts';
import type { ClusterOptions } from './cluster-options.ts';
import { confirmOrRefuse } from './confirm-or-refuse.ts';
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
    if (!options.purge) {
      await takeWorkloadsAway(context, options, site);
      return EXIT.done;
    }
    await requirePurgeable(site);
    if (!(await isPurgeConfirmed(context, options, site))) return context.signal.aborted ? EXIT.interrupted : EXIT.refused;
    const patience = { timeoutMs: options.waitTimeout, timing: SYSTEM_TIMING };
    await disable(site, patience);
    context.stdout.write(describePurge(site.namespace, await purge(site, patience)));
    return EXIT.done;
  });
}

async function isPurgeConfirmed(context: CliContext, options: DisableOptions, site: ClusterSite): Promise<boolean> {
  const { imageLists, imageJobs, exclusions } = await listLosses(site);
  const losses = [
    `${countOf(imageLists.length, 'ImageList')}${named(imageLists)}`,
    countOf(imageJobs, 'ImageJob'),
    `${countOf(exclusions.length, 'configmap')} of exclusions${named(exclusions)}`,
    'the configuration, the roles and the definitions',
  ].join(', ');
  context.stderr.write(`At ${site.client.server}, namespace ${site.namespace}, these go for good: ${losses}.\n`);
  return confirmOrRefuse(context, options, { question: 'Remove all of it?', what: `disable --purge removes ${losses}` });
}

function named(names: readonly string[]): string {
  return names.length === 0 ? '' : ` (${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ', …' : ''})`;
}

const MOST_NAMED = 10;

function describePurge(namespace: string, became: PurgedNamespace): string {
  const removed = 'Image Cleaner is removed, with all that it went by.';
  switch (became.kind) {
    case 'deleted':
      return `${removed} The namespace ${namespace} is gone, too.\n`;
    case 'absent':
      return `${removed}\n`;
    case 'not-ours':
      return `${removed} The namespace ${namespace} was there before it, and stays.\n`;
    case 'in-use':
      return `${removed} The namespace ${namespace} stays, since it holds what is not ours${named(became.holds)}.\n`;
  }
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
