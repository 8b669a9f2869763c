import { extractConfiguration } from '../../cluster/extract-configuration.ts';
import { parseIntervalHours } from '../../cluster/interval-hours.ts';
import type { GivenConfiguration } from '../../cluster/plan-configuration.ts';
import type { GivenSettings } from '../../cluster/plan-settings.ts';
import { readInputFile } from '../read-input-file.ts';
import type { EnableOptions } from './enable-options.ts';
import { readHistoryOptions } from './read-history-options.ts';

/** @throws CliError */
export function settingsOf(options: EnableOptions): GivenSettings {
  const { image, scannerImage, trivyCacheHostPath } = options;
  const [trivyArgs, managerArgs] = [options.trivyArg, options.managerArg].map(withoutNone);
  const given = { image, scannerImage, trivyCacheHostPath, trivyArgs, managerArgs, historyServer: readHistoryOptions(options) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** `--manager-arg=` with nothing behind: none, in the place of those that were. */
function withoutNone(args: readonly string[] | undefined): readonly string[] | undefined {
  return args?.filter((arg) => arg !== '');
}

/** As large as a configmap can be. */
const MOST_BYTES = 1024 * 1024;

/** @throws ClusterError or CliError, before anything is asked of the cluster. */
export async function readGivenConfiguration({ config, imageCleanerIntervalHours: hours }: EnableOptions): Promise<GivenConfiguration> {
  return {
    intervalHours: hours === undefined ? null : parseIntervalHours(hours),
    text: config === undefined ? null : extractConfiguration(await readInputFile('--config', config, MOST_BYTES)),
  };
}
