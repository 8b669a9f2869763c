import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { duration } from '../option-values.ts';
import { addClusterOutputOptions, type ClusterOutputOptions } from './cluster-options.ts';
import type { RunOptions } from './commands/run.ts';

/** What the commands of `image-cleaner cluster` and of `kubectl image-cleaner` are added to. */
export interface ClusterParts {
  readonly cluster: Command;
  readonly context: CliContext;
  /** Takes the code with which the process is to end. */
  readonly exit: (code: ExitCode) => void;
}

/** In the order of the help. Each is loaded when it is called. */
const COMMANDS: readonly ((parts: ClusterParts) => void)[] = [addVersion, addRun];

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

/** Of commands that follow a run to its end. */
function addFollowOptions(command: Command): Command {
  return command
    .option('--no-wait', 'ask for it, and end')
    .option(
      '--timeout <duration>',
      'how long to wait for its end, such as 30m; it goes on all the same (default: as long as it takes)',
      duration,
    );
}

function addRun({ cluster, context, exit }: ClusterParts): void {
  addFollowOptions(addClusterOutputOptions(cluster.command('run')))
    .description('clean all nodes now, by the configuration, whatever the schedule says, and tell what came of it')
    .option('--attach', 'follow the run that is under way or asked for; ask for none', false)
    .addHelpText('after', RUN_HELP)
    .action(async (options: RunOptions) => {
      const { run } = await import('./commands/run.ts');
      exit(await run(context, options));
    });
}

const RUN_HELP = `
Ctrl-C ends this command, not the run.

Exit codes: 0 the run is completed, 1 it has failed, or was not over in time, 3 automatic runs are off, 130 interrupted: the run goes on

Examples:
  image-cleaner cluster run
  image-cleaner cluster run --timeout 30m -o json
  image-cleaner cluster run --attach`;
