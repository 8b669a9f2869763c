import { Argument, type Command } from 'commander';
import { SHELLS, type Shell } from './completion/shells.ts';
import { addClusterCommands, CLUSTER_DESCRIPTION } from './cluster/add-cluster-commands.ts';
import type { CliContext } from './context.ts';
import type { ExitCode } from './exit-codes.ts';
import {
  addAgeOptions,
  addConcurrencyOption,
  addConsentOptions,
  addHistoryOption,
  addPolicyOptions,
  addRecordOptions,
  addRuntimeOptions,
  addScannerOptions,
  addScheduleOptions,
  addSelectionOptions,
  outputOption,
} from './options.ts';
import { positiveInteger, runNumber, timeBound } from './option-values.ts';
import type { OutputFormat } from './output/write-document.ts';
import type { CleanOptions, DoctorOptions, HistoryCommandOptions, PlanOptions, RuntimeOptions, ScanOptions } from './parsed-options.ts';

/** What the commands are added to, and run with. */
export interface ProgramParts {
  readonly program: Command;
  readonly context: CliContext;
  /** Takes the code with which the process is to end. */
  readonly exit: (code: ExitCode) => void;
  /** Ends a run of a schedule that has failed, but not the process. */
  readonly reportError: (context: CliContext, error: unknown) => ExitCode;
}

/** In the order of the help. A command is loaded when it is called: to load all of them takes longer than most take to run. */
const COMMANDS: ReadonlyMap<string, (parts: ProgramParts) => void> = new Map([
  ['clean', addClean],
  ['list', addList],
  ['explain', addExplain],
  ['scan', addScan],
  ['history', addHistory],
  ['doctor', addDoctor],
  ['verify-audit-log', addVerifyAuditLog],
  ['cluster', addCluster],
]);

/**
 * Adds the command that the command line begins with, since to make the options of all of them takes as long as some run; else, for the help
 * and what it completes, all.
 */
export function addCommands(parts: ProgramParts): void {
  const [name = ''] = parts.context.commandLine;
  const asked = COMMANDS.get(name);
  if (asked !== undefined) asked(parts);
  else for (const add of [...COMMANDS.values(), addCompletion]) add(parts);
}

function command(program: Command, name: string, description: string): Command {
  return addRuntimeOptions(program.command(name).description(description));
}

function planning(made: Command): Command {
  return addConcurrencyOption(addPolicyOptions(addScannerOptions(addAgeOptions(addSelectionOptions(made)))));
}

function cleaning(made: Command): Command {
  return addConsentOptions(addScheduleOptions(addRecordOptions(planning(made))));
}

function addClean({ program, context, exit, reportError }: ProgramParts): void {
  cleaning(command(program, 'clean', 'remove the images that nothing uses and that the policy does not want'))
    .addHelpText('after', CLEAN_EXAMPLES)
    .action(async (options: CleanOptions) => {
      const { clean } = await import('./commands/clean.ts');
      // What reads a schedule is loaded only where there is one.
      const { schedule: when, timeZone, beginImmediately } = options;
      const isScheduled = when !== undefined || timeZone !== undefined || beginImmediately !== undefined;
      const schedule = isScheduled ? (await import('./read-schedule.ts')).readSchedule(options) : null;
      const runOnce = (within: CliContext): Promise<ExitCode> =>
        clean(within, options).catch((error: unknown) => reportError(within, error));
      if (schedule === null) {
        exit(await clean(context, options));
        return;
      }
      const { cleanOnSchedule } = await import('./commands/clean-on-schedule.ts');
      exit(await cleanOnSchedule(context, { schedule, options, runOnce }));
    });
}

function addList({ program, context, exit }: ProgramParts): void {
  command(program, 'list', 'list the images of this node and what uses them')
    .addHelpText('after', '\nExamples:\n  image-cleaner list\n  image-cleaner list -o json')
    .action(async (options: RuntimeOptions) => {
      const { list } = await import('./commands/list.ts');
      exit(await list(context, options));
    });
}

function addExplain({ program, context, exit }: ProgramParts): void {
  addHistoryOption(planning(command(program, 'explain', 'show which rule keeps or removes an image, and why')))
    .argument('<image>', 'tag, digest, id or beginning of an id')
    .addHelpText('after', '\nExamples:\n  image-cleaner explain nginx:1.25\n  image-cleaner explain 3fe1c0a9 --scanner none')
    .action(async (image: string, options: PlanOptions) => {
      const { explain } = await import('./commands/explain.ts');
      exit(await explain(context, image, options));
    });
}

function addScan({ program, context, exit }: ProgramParts): void {
  addHistoryOption(
    addConcurrencyOption(
      addPolicyOptions(addScannerOptions(command(program, 'scan', 'scan images, in use or not, and show the findings'))),
    ),
  )
    .argument('<image...>', 'tags, digests, ids or beginnings of ids')
    .addHelpText(
      'after',
      '\nExamples:\n  image-cleaner scan nginx:1.25\n  image-cleaner scan nginx:1.25 redis:7 --severity CRITICAL,HIGH -o json',
    )
    .action(async (images: string[], options: ScanOptions) => {
      const { scan } = await import('./commands/scan.ts');
      exit(await scan(context, images, options));
    });
}

function addHistory({ program, context, exit }: ProgramParts): void {
  program
    .command('history')
    .description('show what earlier runs removed and kept, and why')
    .argument('[run]', 'the number of a run; all runs if not given', runNumber)
    .option('--image <image>', 'all that was decided on one image: a tag, digest, id or beginning of an id')
    .option('--since <time>', 'runs that began since: a date, a time, or how long ago (7d)', timeBound)
    .option('--until <time>', 'runs that began until then', timeBound)
    .option('--limit <number>', 'the most runs, or decisions on an image, to show (default: 20 runs, 1000 decisions)', positiveInteger)
    .option('--jobs', "of a cluster's history: its jobs, each with the sums over its nodes")
    .option('--job <job>', "of a cluster's history: the runs of one job, by its name or uid; with -o json, every decision")
    .option('--node <node>', "of a cluster's history: what is of this node alone")
    .option('--logs', 'of --job: what its worker pods have logged')
    .option('--verdicts', "of a cluster's history: which node has read which image, and when")
    .option('--revoke <node>', 'take back all that this node has told of images (`cluster verdicts revoke` does, and asks before)')
    .option(
      '--history <place>',
      "the history: a file, or a cluster's in a PostgreSQL, postgres://… (default: IMAGE_CLEANER_HISTORY, else the state folder)",
    )
    .option('--history-password-file <file>', 'of a PostgreSQL: the file with the password (default: PGPASSWORD)')
    .addOption(outputOption())
    .addHelpText('after', HISTORY_EXAMPLES)
    .action(async (run: number | undefined, options: HistoryCommandOptions) => {
      const { history } = await import('./commands/history.ts');
      exit(await history(context, run, options));
    });
}

function addDoctor({ program, context, exit }: ProgramParts): void {
  cleaning(command(program, 'doctor', 'check whether this machine has what runs need, and say what to do'))
    .addHelpText('after', DOCTOR_HELP)
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import('./commands/doctor.ts');
      exit(await doctor(context, options));
    });
}

function addVerifyAuditLog({ program, context, exit }: ProgramParts): void {
  program
    .command('verify-audit-log')
    .description('check that each line of an audit log (clean --audit-log) follows from the one before it')
    .argument('<file>', 'the audit log')
    .addOption(outputOption())
    .action(async (file: string, options: { readonly output: OutputFormat }) => {
      const { verifyAuditLog } = await import('./commands/verify-audit-log.ts');
      exit(await verifyAuditLog(context, file, options));
    });
}

function addCluster({ program, context, exit }: ProgramParts): void {
  const cluster = program.command('cluster').description(CLUSTER_DESCRIPTION);
  addClusterCommands({ cluster, context, exit });
}

function addCompletion({ program, context, exit }: ProgramParts): void {
  program
    .command('completion')
    .description('print the script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', COMPLETION_EXAMPLES)
    .action(async (shell: Shell) => {
      const { completion } = await import('./commands/completion.ts');
      exit(completion(context, program, shell));
    });
}

const HISTORY_EXAMPLES = `
Examples:
  image-cleaner history                        the last runs
  image-cleaner history 12                     every decision of run 12
  image-cleaner history --image web:1.0        when and why an image went, by which vulnerability, how many bytes
  image-cleaner history --since 30d -o json`;

const DOCTOR_HELP = `
Takes the options of clean, checks what they name, and removes nothing: give it those that clean is to have. Exits with 1 when a check finds a
problem; warnings are none.

Examples:
  image-cleaner doctor
  image-cleaner doctor --config eraser.yaml --exclude-file keep.json --audit-log /var/log/image-cleaner.jsonl
  image-cleaner doctor --disk-high 80% -o json | jq '.checks[] | select(.status != "ok")'`;

const COMPLETION_EXAMPLES = `
Examples:
  source <(image-cleaner completion bash)
  image-cleaner completion zsh > /usr/local/share/zsh/site-functions/_image-cleaner
  image-cleaner completion fish > ~/.config/fish/completions/image-cleaner.fish`;

const CLEAN_EXAMPLES = `
Examples:
  image-cleaner clean --dry-run                          what would go, and why
  image-cleaner clean --severity CRITICAL,HIGH --yes     without asking, for scripts
  image-cleaner clean --scanner none                     every unused image
  image-cleaner clean --exclude 'ghcr.io/acme/*'         keep a registry's or repository's images
  image-cleaner clean --image alpine:3.7.3               this image, if nothing uses it
  image-cleaner clean --yes --schedule 24h               stay, and clean once a day
  image-cleaner clean --dry-run -o json | jq '.decisions[] | select(.outcome == "remove")'`;
