import type { CliContext } from '../../context.ts';
import type { ExitCode } from '../../exit-codes.ts';
import { enableCluster } from '../enable-cluster.ts';
import type { EnableOptions } from '../enable-options.ts';

/** `image-cleaner cluster enable`: installs, or finishes and updates what is installed, and waits until the manager is ready. */
export function enable(context: CliContext, options: EnableOptions): Promise<ExitCode> {
  return enableCluster(context, options, 'enable');
}
