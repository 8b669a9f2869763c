import { Option, type Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { durationOption } from '../option-values.ts';
import { addClusterOptions, addClusterOutputOptions, type ClusterOptions, type ClusterOutputOptions } from './cluster-options.ts';
import type { ConfigSetOptions } from './commands/config-set.ts';
import type { UpdateOptions } from './commands/update.ts';
import type { DisableOptions } from './disable-cluster.ts';
import { addEnableOptions, type EnableOptions } from './enable-options.ts';

/** What the commands of `image-cleaner cluster` and of `kubectl image-cleaner` are added to. */
export interface ClusterParts {
  readonly cluster: Command;
  readonly context: CliContext;
  /** Takes the code with which the process is to end. */
  readonly exit: (code: ExitCode) => void;
}

/** In the order of the help. Each is loaded when it is called. */
const COMMANDS: readonly ((parts: ClusterParts) => void)[] = [addVersion, addEnable, addUpdate, addDisable, addConfig];

export function addClusterCommands(parts: ClusterParts): void {
  for (const add of COMMANDS) add(parts);
}

function addVersion({ cluster, context, exit }: ClusterParts): void {
  addClusterOutputOptions(cluster.command('version'))
    .description('show the version of this program, and what is installed in the cluster')
    .action(async (options: ClusterOutputOptions) => {
      const { version } = await import('./commands/version.ts');
      exit(await version(context, options));
    });
}

function addEnable({ cluster, context, exit }: ClusterParts): void {
  addEnableOptions(cluster.command('enable'))
    .description('install Image Cleaner, or finish an installation, with the stored configuration if there is one')
    .action(async (options: EnableOptions) => {
      const { enable } = await import('./commands/enable.ts');
      exit(await enable(context, options));
    });
}

function addUpdate({ cluster, context, exit }: ClusterParts): void {
  addEnableOptions(cluster.command('update'))
    .description('change what is installed: interval, configuration, images, version')
    .addOption(
      new Option('--enable-image-cleaner', 'as the command enable, whether it is installed or not')
        .default(false)
        .conflicts('disableImageCleaner'),
    )
    .addOption(new Option('--disable-image-cleaner', 'as the command disable').default(false))
    .action(async (options: UpdateOptions) => {
      const { update } = await import('./commands/update.ts');
      exit(await update(context, options));
    });
}

function addDisable({ cluster, context, exit }: ClusterParts): void {
  addClusterOptions(cluster.command('disable'))
    .description('remove the manager and worker pods, and keep configuration, exclusions, lists and jobs')
    .option('--purge', 'remove all of it, after asking: configuration, exclusions, lists and definitions, too', false)
    .option('-y, --yes', 'do not ask', false)
    .addOption(durationOption('--wait-timeout <duration>', 'how long to wait until pods are gone', '2m'))
    .action(async (options: DisableOptions) => {
      const { disable } = await import('./commands/disable.ts');
      exit(await disable(context, options));
    });
}

function addConfig({ cluster, context, exit }: ClusterParts): void {
  const config = cluster.command('config').description('read, change and check the configuration that is stored in the cluster');
  addClusterOutputOptions(config.command('get [key]'))
    .description('print the configuration, or the value of a key, such as manager.scheduling.repeatInterval')
    .action(async (key: string | undefined, options: ClusterOutputOptions) => {
      const { configGet } = await import('./commands/config-get.ts');
      exit(await configGet(context, options, key));
    });
  addClusterOptions(config.command('set <assignments...>'))
    .description('change keys (KEY=VALUE; KEY= takes it out); comments stay, and what cannot be used is refused')
    .option('--dry-run', 'show what would change, and change nothing', false)
    .action(async (assignments: readonly string[], options: ConfigSetOptions) => {
      const { configSet } = await import('./commands/config-set.ts');
      exit(await configSet(context, options, assignments));
    });
  addClusterOptions(config.command('validate [file]'))
    .description('check a file, or the stored configuration, as the manager would read it')
    .action(async (file: string | undefined, options: ClusterOptions) => {
      const { configValidate } = await import('./commands/config-validate.ts');
      exit(await configValidate(context, options, file));
    });
}
