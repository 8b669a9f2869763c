import { Option, type Command } from 'commander';
import { OWN_EXCLUSIONS } from '../../cluster/exclusion-names.ts';
import type { CliContext } from '../context.ts';
import type { ExitCode } from '../exit-codes.ts';
import { duration, durationOption, positiveInteger, timeBound } from '../option-values.ts';
import { addClusterOptions, addClusterOutputOptions, type ClusterOptions, type ClusterOutputOptions } from './cluster-options.ts';
import type { ClusterExplainOptions } from './commands/cluster-explain.ts';
import type { ClusterHistoryOptions } from './commands/cluster-history.ts';
import type { ConfigSetOptions } from './commands/config-set.ts';
import type { ExcludeOptions } from './commands/exclude-add.ts';
import type { LogsOptions } from './commands/logs.ts';
import type { RemoveOptions } from './commands/remove.ts';
import type { RunOptions } from './commands/run.ts';
import type { StatusOptions } from './commands/status.ts';
import type { UpdateOptions } from './commands/update.ts';
import type { VerdictsListOptions } from './commands/verdicts-list.ts';
import type { VerdictsRevokeOptions } from './commands/verdicts-revoke.ts';
import type { DisableOptions } from './disable-cluster.ts';
import { addEnableOptions, type EnableOptions } from './enable-options.ts';

/** What the commands of `image-cleaner cluster` and of `kubectl image-cleaner` are added to. */
export interface ClusterParts {
  readonly cluster: Command;
  readonly context: CliContext;
  /** Takes the code with which the process is to end. */
  readonly exit: (code: ExitCode) => void;
}

export const CLUSTER_DESCRIPTION = 'install Image Cleaner on a Kubernetes cluster, run it, and see what it did';

/** In the order of the help. Each is loaded when it is called. */
const COMMANDS: readonly ((parts: ClusterParts) => void)[] = [
  addEnable,
  addUpdate,
  addDisable,
  addStatus,
  addRun,
  addRemove,
  addExclude,
  addExplain,
  addHistory,
  addLogs,
  addVerdicts,
  addConfig,
  addMigrate,
  addVersion,
];

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

function addMigrate({ cluster, context, exit }: ClusterParts): void {
  addClusterOutputOptions(cluster.command('migrate'))
    .description('show what will differ when Image Cleaner takes the place of Eraser or of the AKS Image Cleaner; changes nothing')
    .requiredOption('--check', 'only look; to migrate, use enable')
    .action(async (options: ClusterOutputOptions) => {
      const { migrate } = await import('./commands/migrate.ts');
      exit(await migrate(context, options));
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

function addHistory({ cluster, context, exit }: ClusterParts): void {
  addClusterOutputOptions(cluster.command('history'))
    .description('show what earlier runs removed and kept on every node, and why')
    .argument('[run]', 'the name of a run: what each node came to, with every decision; all runs if not given')
    .option('--image <image>', 'all that was decided on one image: a tag, digest, id or beginning of an id')
    .option('--node <node>', 'of a run or an image, what was on this node')
    .option('--since <time>', 'runs that began since: a date, a time, or how long ago (7d)', timeBound)
    .option('--limit <number>', 'the most runs, or decisions on an image, to show (default: 20 runs, 1000 decisions)', positiveInteger)
    .action(async (run: string | undefined, options: ClusterHistoryOptions) => {
      const { clusterHistory } = await import('./commands/cluster-history.ts');
      exit(await clusterHistory(context, run, options));
    });
}

function addLogs({ cluster, context, exit }: ClusterParts): void {
  addClusterOptions(cluster.command('logs'))
    .description('show what the worker pods of a run have logged, also when they are gone')
    .argument('<run>', 'the name of a run')
    .argument('[node]', 'of this node alone')
    .addOption(new Option('-c, --container <container>', 'of this container alone').choices(['collector', 'trivy-scanner', 'remover']))
    .option('-f, --follow', 'go on for as long as the run does')
    .action(async (run: string, node: string | undefined, options: LogsOptions) => {
      const { logs } = await import('./commands/logs.ts');
      exit(await logs(context, run, node, options));
    });
}

function addVerdicts({ cluster, context, exit }: ClusterParts): void {
  const verdicts = cluster.command('verdicts').description('show which node has read which image, and take back what a node has told');
  addClusterOutputOptions(verdicts.command('list'))
    .description('show what is kept of images, with the node that has read each, and when')
    .option('--node <node>', 'of this node alone')
    .action(async (options: VerdictsListOptions) => {
      const { verdictsList } = await import('./commands/verdicts-list.ts');
      exit(await verdictsList(context, options));
    });
  addClusterOutputOptions(verdicts.command('revoke'))
    .description('take back all that a node has told of images: they stay until they have been read anew')
    .requiredOption('--node <node>', 'the node, also one that is gone')
    .option('--dry-run', 'show what would be taken back, and change nothing', false)
    .option('-y, --yes', 'do not ask', false)
    .addHelpText('after', REVOKE_HELP)
    .action(async (options: VerdictsRevokeOptions) => {
      const { verdictsRevoke } = await import('./commands/verdicts-revoke.ts');
      exit(await verdictsRevoke(context, options));
    });
}

const REVOKE_HELP = `
For a node that was not to be trusted. What it tells in a run that has begun counts no more; in later runs it does. To keep it out of these:
kubectl label node NODE eraser.sh/cleanup.filter=true

Exit codes: 0 done, 1 the node was never heard of, 3 not confirmed

Examples:
  image-cleaner cluster verdicts revoke --node worker-7 --dry-run
  image-cleaner cluster verdicts revoke --node worker-7 --yes -o json`;

function addExplain({ cluster, context, exit }: ClusterParts): void {
  addClusterOutputOptions(cluster.command('explain'))
    .description('show the last decision on an image on every node, with its rule, reason and findings')
    .argument('<image>', 'tag, digest, id or beginning of an id')
    .option('--node <node>', 'on this node alone')
    .action(async (image: string, options: ClusterExplainOptions) => {
      const { clusterExplain } = await import('./commands/cluster-explain.ts');
      exit(await clusterExplain(context, image, options));
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
