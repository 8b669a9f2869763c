import { extractConfiguration } from '../../cluster/extract-configuration.ts';
import type { InstallationSettings } from '../../cluster/installed-settings.ts';
import { parseIntervalHours } from '../../cluster/interval-hours.ts';
import type { GivenConfiguration } from '../../cluster/plan-configuration.ts';
import { readInputFile } from '../read-input-file.ts';
import type { EnableOptions } from './enable-options.ts';

export function settingsOf(options: EnableOptions): Partial<InstallationSettings> {
  const { image, scannerImage, trivyCacheHostPath, trivyArg: trivyArgs, managerArg: managerArgs } = options;
  const given = { image, scannerImage, trivyCacheHostPath, trivyArgs, managerArgs };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
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
