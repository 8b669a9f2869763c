import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { addClusterOutputOptions, type ClusterOutputOptions } from './cluster-options.ts';

/** What the commands of `image-cleaner cluster` and of `kubectl image-cleaner` are added to. */
export interface ClusterParts {
  readonly cluster: Command;
  readonly context: CliContext;
  /** Takes the code with which the process is to end. */
  readonly exit: (code: ExitCode) => void;
}

export const CLUSTER_DESCRIPTION = 'install Image Cleaner on a Kubernetes cluster, run it, and see what it did';

/** In the order of the help. Each is loaded when it is called. */
const COMMANDS: readonly ((parts: ClusterParts) => void)[] = [addVersion];

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
