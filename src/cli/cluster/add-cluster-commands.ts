import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { duration } from '../option-values.ts';
import { addClusterOutputOptions, type ClusterOutputOptions } from './cluster-options.ts';
import type { RemoveOptions } from './commands/remove.ts';
import type { RunOptions } from './commands/run.ts';

/** What the commands of `image-cleaner cluster` and of `kubectl image-cleaner` are added to. */
export interface ClusterParts {
  readonly cluster: Command;
  readonly context: CliContext;
  /** Takes the code with which the process is to end. */
  readonly exit: (code: ExitCode) => void;
}

/** In the order of the help. Each is loaded when it is called. */
const COMMANDS: readonly ((parts: ClusterParts) => void)[] = [addVersion, addRun, addRemove];

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

function addRemove({ cluster, context, exit }: ClusterParts): void {
  addFollowOptions(addClusterOutputOptions(cluster.command('remove')))
    .description('remove images from all nodes now, but for containers that use them and exclusions that keep them')
    .argument('<image...>', 'tags, digests or ids, or * for every image')
    .option('-y, --yes', 'with *: remove without asking', false)
    .option('--replace-list', "put them in the place of somebody else's ImageList", false)
    .addHelpText('after', REMOVE_HELP)
    .action(async (images: string[], options: RemoveOptions) => {
      const { remove } = await import('./commands/remove.ts');
      exit(await remove(context, images, options));
    });
}

const REMOVE_HELP = `
It writes the ImageList named imagelist. Ctrl-C ends this command, not the removal.

Exit codes: 0 done on enough nodes, 1 it has failed, or was not over in time, 2 one is no image, 3 refused, 130 interrupted: the removal goes on

Examples:
  image-cleaner cluster remove nginx:1.25 registry.example/shop@sha256:…
  image-cleaner cluster remove '*' --yes`;
