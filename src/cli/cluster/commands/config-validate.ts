import { validateConfiguration } from '../../../cluster/configuration-keys.ts';
import { requireConfiguration } from '../../../cluster/configuration-store.ts';
import { extractConfiguration } from '../../../cluster/extract-configuration.ts';
import type { CliContext } from '../../context.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../read-input-file.ts';
import type { ClusterOptions } from '../cluster-options.ts';
import { withSite } from '../connect-site.ts';

/** As large as a configmap can be. */
const MOST_BYTES = 1024 * 1024;

/** `image-cleaner cluster config validate`: whether a configuration can be used, and what in it has no effect. A file needs no cluster. */
export async function configValidate(context: CliContext, options: ClusterOptions, file: string | undefined): Promise<ExitCode> {
  const name = file ?? 'The stored configuration';
  const text =
    file === undefined
      ? (await withSite(context, options, requireConfiguration)).text
      : extractConfiguration(await readInputFile('the configuration', file, MOST_BYTES));
  const warnings = validateConfiguration(name, text);
  if (warnings !== '') context.stderr.write(`Without effect:\n${warnings}\n`);
  context.stdout.write(`${name} can be used.\n`);
  return EXIT.done;
}
