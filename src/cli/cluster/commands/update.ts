import { badUsage } from '../../cli-error.ts';
import type { CliContext } from '../../context.ts';
import type { ExitCode } from '../../exit-codes.ts';
import { enableCluster } from '../enable-cluster.ts';
import { disableCluster } from '../disable-cluster.ts';
import type { EnableOptions } from '../enable-options.ts';
import { settingsOf } from '../read-enable-options.ts';

/** With the flags of `az aks update`. */
export interface UpdateOptions extends EnableOptions {
  readonly enableImageCleaner: boolean;
  readonly disableImageCleaner: boolean;
}

/** `image-cleaner cluster update`: changes what is installed; with AKS's own flags, as `enable` or `disable`. */
export async function update(context: CliContext, options: UpdateOptions): Promise<ExitCode> {
  if (!options.disableImageCleaner) return enableCluster(context, options, options.enableImageCleaner ? 'enable' : 'update');
  const isChanged = options.config !== undefined || options.imageCleanerIntervalHours !== undefined;
  if (isChanged || options.dryRun || Object.keys(settingsOf(options)).length > 0) {
    throw badUsage(
      '--disable-image-cleaner takes none of the options that change an installation.',
      'Leave them out, or name them when it is enabled again.',
    );
  }
  return disableCluster(context, { ...options, purge: false });
}
