import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { OWN_EXCLUSIONS } from '../../cluster/exclusion-names.ts';
import type { ExcludeOptions } from './commands/exclude-add.ts';
import type { StatusOptions } from './commands/status.ts';
import { addClusterOutputOptions, type ClusterOutputOptions } from './cluster-options.ts';

/** What the commands of `image-cleaner cluster` and of `kubectl image-cleaner` are added to. */
export interface ClusterParts {
  readonly cluster: Command;
  readonly context: CliContext;
  /** Takes the code with which the process is to end. */
  readonly exit: (code: ExitCode) => void;
}

/** In the order of the help. Each is loaded when it is called. */
const COMMANDS: readonly ((parts: ClusterParts) => void)[] = [addVersion, addExclude, addStatus];

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

function addExclude({ cluster, context, exit }: ClusterParts): void {
  const exclude = cluster.command('exclude').description('what is never removed: the exclusion lists of the cluster');
  addClusterOutputOptions(exclude.command('add'))
    .description('exclude what these patterns match, from the next run on')
    .argument('<pattern...>', 'as in docs/exclusions.md: nginx, ghcr.io/acme/*, nginx:1.2*, sha256:…')
    .option('--name <configmap>', 'the configmap to write, which is made if need be', OWN_EXCLUSIONS)
    .action(async (patterns: string[], options: ExcludeOptions) => {
      const { excludeAdd } = await import('./commands/exclude-add.ts');
      exit(await excludeAdd(context, patterns, options));
    });
  addClusterOutputOptions(exclude.command('remove'))
    .description('exclude these patterns no more')
    .argument('<pattern...>', 'as they were added')
    .option('--name <configmap>', 'the configmap that `exclude add` has put them into', OWN_EXCLUSIONS)
    .action(async (patterns: string[], options: ExcludeOptions) => {
      const { excludeRemove } = await import('./commands/exclude-remove.ts');
      exit(await excludeRemove(context, patterns, options));
    });
  addClusterOutputOptions(exclude.command('list'))
    .description('list every pattern, with its configmap, and whether it is in force')
    .action(async (options: ClusterOutputOptions) => {
      const { excludeList } = await import('./commands/exclude-list.ts');
      exit(await excludeList(context, options));
    });
}

function addStatus({ cluster, context, exit }: ClusterParts): void {
  addClusterOutputOptions(cluster.command('status'))
    .description('show what is installed, what it does and did, and what needs a person; exits with 1 when something does')
    .option('-w, --watch', 'go on to look, until interrupted')
    .action(async (options: StatusOptions) => {
      const { status } = await import('./commands/status.ts');
      exit(await status(context, options));
    });
}
