import { assignKeys } from '../../../cluster/configuration-keys.ts';
import { changeConfiguration, requireConfiguration } from '../../../cluster/configuration-store.ts';
import { formatChange } from '../../../cluster/diff-values.ts';
import { diffConfigurations } from '../../../cluster/plan-configuration.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import type { ClusterOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

export interface ConfigSetOptions extends ClusterOptions {
  readonly dryRun: boolean;
}

/** `image-cleaner cluster config set`: changes keys of the stored configuration, all of them or none. */
export async function configSet(context: CliContext, options: ConfigSetOptions, assignments: readonly string[]): Promise<ExitCode> {
  return withSite(context, options, async (site) => {
    const stored = await requireConfiguration(site);
    const text = assignKeys(stored.text, assignments);
    const changes = diffConfigurations(stored.text, text);
    if (changes.length > 0 && !options.dryRun) await changeConfiguration(site, stored, { text });
    for (const change of changes) context.stdout.write(`${formatChange(change)}\n`);
    if (changes.length === 0) context.stderr.write('Nothing changes: the configuration says so already.\n');
    else context.stderr.write(options.dryRun ? 'Dry run: nothing was changed.\n' : 'It holds from the next run on.\n');
    return EXIT.done;
  });
}
