import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { USUAL_RUNTIME_ADDRESSES, type EraserConfig, type TrivyConfig } from '../api/eraser-config.ts';
import { badUsage } from './cli-error.ts';
import type { CliContext } from './context.ts';
import { printable } from './output/image-name.ts';
import type { PlanOptions } from './parsed-options.ts';
import { readConfig } from './read-config.ts';
import { whyNotAutomatic } from './why-not-automatic.ts';

/**
 * Takes what the file of `--config` says for the options of a command that the command line does not give. As commander has it: the command
 * line wins over the environment, the environment over the file, the file over the defaults.
 */
export async function applyConfig(context: CliContext, command: Command): Promise<void> {
  const { config: file } = command.opts<{ readonly config?: string }>();
  if (file === undefined) return;
  const { config, warnings } = await readConfig(file);
  const cacheDirExists = await isFolder(cacheDirOf(config));
  for (const [name, value] of Object.entries(configuredOptions(config, { env: context.env, cacheDirExists }))) {
    const isOption = command.options.some((option) => option.attributeName() === name);
    if (isOption && !isGiven(command, name)) command.setOptionValueWithSource(name, value, 'config');
  }
  command.setOptionValueWithSource('eraserConfig', config, 'config');
  command.setOptionValueWithSource('configWarnings', warnings, 'config');
  refuseUnfitting(file, config, command);
  for (const warning of warnings) context.stderr.write(`Warning: ${printable(warning)}\n`);
}

/** What of the machine decides whether a setting of the file holds. */
export interface ConfigSurroundings {
  readonly env: CliContext['env'];
  /** The file names a folder of the scanner's container, which this machine need not have. */
  readonly cacheDirExists: boolean;
}

/** What a configuration says, as options. What has no meaning on one machine is left out. */
export function configuredOptions(config: EraserConfig, { env, cacheDirExists }: ConfigSurroundings): Partial<PlanOptions> {
  const { scanner } = config.components;
  const { runtime } = config.manager;
  // Every configuration of Eraser's has the usual address, on whatever machine: it says no more than the search for the socket knows.
  const isUsual = runtime.address === USUAL_RUNTIME_ADDRESSES[runtime.name];
  return {
    scanner: scanner.enabled ? 'trivy' : 'none',
    ...(isUsual || isSet(env['CONTAINER_RUNTIME_ENDPOINT']) ? {} : { runtimeEndpoint: runtime.address }),
    ...(cacheDirExists && !isSet(env['TRIVY_CACHE_DIR']) ? { trivyCacheDir: cacheDirOf(config) } : {}),
    ...(scanner.config.kind === 'custom' ? {} : scanOptions(scanner.config)),
  };
}

function scanOptions({ dbRepo, deleteEOLImages, deleteFailedImages, vulnerabilities, timeout }: TrivyConfig): Partial<PlanOptions> {
  return {
    dbRepository: dbRepo,
    keepEndOfLife: !deleteEOLImages,
    keepUnscannable: !deleteFailedImages,
    severity: vulnerabilities.severities,
    pkgTypes: vulnerabilities.types,
    ignoreUnfixed: vulnerabilities.ignoreUnfixed,
    ignoreStatus: vulnerabilities.ignoredStatuses,
    timeoutPerImage: timeout.perImage,
    timeoutTotal: timeout.total,
  };
}

/** Commands that clean, or look whether they could. */
const CLEANING = ['clean', 'doctor'];

/** Throws when the configuration is for something that the command cannot do. */
function refuseUnfitting(file: string, eraserConfig: EraserConfig, command: Command): void {
  const { scanner } = eraserConfig.components;
  const { image = [] } = command.opts<Partial<PlanOptions>>();
  if (image.length > 0) return;
  const notAutomatic = whyNotAutomatic({ config: file, eraserConfig });
  if (CLEANING.includes(command.name()) && notAutomatic !== null) {
    throw badUsage(notAutomatic, 'Name the images to remove with --image, or switch the collector on.');
  }
  const takesScanner = command.options.some((option) => option.attributeName() === 'scanner');
  if (takesScanner && scanner.enabled && scanner.config.kind === 'custom' && !isGiven(command, 'scanner')) {
    throw badUsage(
      `--config ${file}: components.scanner.image.repo: ${JSON.stringify(scanner.image.repo)} is a scanner that cannot run here.`,
      'Choose with --scanner trivy or --scanner none.',
    );
  }
}

function isGiven(command: Command, name: string): boolean {
  return command.getOptionValueSource(name) === 'cli';
}

function isSet(variable: string | undefined): boolean {
  return variable !== undefined && variable !== '';
}

function cacheDirOf({ components }: EraserConfig): string {
  return components.scanner.config.kind === 'custom' ? '' : components.scanner.config.cacheDir;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
