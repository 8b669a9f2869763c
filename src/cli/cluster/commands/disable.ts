import type { CliContext } from '../../context.ts';
import type { ExitCode } from '../../exit-codes.ts';
import { disableCluster, type DisableOptions } from '../disable-cluster.ts';

/** `image-cleaner cluster disable`: takes the workloads away and keeps what they go by; with --purge, takes all away. */
export function disable(context: CliContext, options: DisableOptions): Promise<ExitCode> {
  return disableCluster(context, options);
}
