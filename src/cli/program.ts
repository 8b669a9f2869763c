import { Argument, Command, CommanderError } from 'commander';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { CliError } from './cli-error.ts';
import { completion, SHELLS, type Shell } from './commands/completion.ts';
import type { CliContext } from './context.ts';
import { refuseContradictions } from './contradictions.ts';
import { exitCodeOf } from './exit-code-of.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
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
  describeOption,
  outputOption,
  refuseLostValues,
} from './options.ts';
import { positiveInteger, runNumber, timeBound } from './option-values.ts';
import { loadFormat, type OutputFormat } from './output/write-document.ts';
import { printable } from './output/image-name.ts';
import { refuseRepeats } from './refuse-repeats.ts';
import type { CleanOptions, DoctorOptions, HistoryCommandOptions, PlanOptions, RuntimeOptions, ScanOptions } from './parsed-options.ts';

/** Runs one command line; returns the exit code and never throws. */
export async function runProgram(context: CliContext): Promise<ExitCode> {
  const result: { code: ExitCode } = { code: EXIT.done };
  const program = createProgram(context, (code) => (result.code = code));
  try {
    await program.parseAsync([...context.commandLine], { from: 'user' });
    return result.code;
  } catch (error) {
    return reportError(context, error);
  }
}

const EXIT_CODES_HELP = `
Exit codes:
  0    done
  1    something failed; what was removed is reported
  2    bad usage
  3    refused: nothing was removed, since it was not confirmed or could not be decided safely
  130  interrupted, after the removals in hand`;

/** A command is loaded when it is called: to load all of them takes longer than most take to run. */
function createProgram(context: CliContext, exit: (code: ExitCode) => void): Command {
  const program = new Command('image-cleaner')
    .description('Finds the images on this node that nothing uses, scans them, decides with reasons which must go, and removes them.')
    .version(context.version)
    .exitOverride()
    .configureHelp({ optionDescription: describeOption })
    .hook('preAction', async (_program, action) => {
      refuseLostValues(action);
      await configure(context, action);
      refuseContradictions(action);
      await loadFormat(action.opts<{ readonly output?: OutputFormat }>().output ?? 'table');
    })
    .configureOutput({ writeOut: (text) => context.stdout.write(text), writeErr: (text) => context.stderr.write(printableLines(text)) })
    .showHelpAfterError('(--help after the command shows what it takes)')
    .addHelpText('after', EXIT_CODES_HELP);

  const command = (name: string, description: string): Command => addRuntimeOptions(program.command(name).description(description));
  const planning = (made: Command): Command =>
    addConcurrencyOption(addPolicyOptions(addScannerOptions(addAgeOptions(addSelectionOptions(made)))));

  const cleaning = (made: Command): Command => addConsentOptions(addScheduleOptions(addRecordOptions(planning(made))));

  cleaning(command('clean', 'remove the images that nothing uses and that the policy does not want'))
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

  command('list', 'list the images of this node and what uses them')
    .addHelpText('after', '\nExamples:\n  image-cleaner list\n  image-cleaner list -o json')
    .action(async (options: RuntimeOptions) => {
      const { list } = await import('./commands/list.ts');
      exit(await list(context, options));
    });

  addHistoryOption(planning(command('explain', 'show which rule keeps or removes an image, and why')))
    .argument('<image>', 'tag, digest, id or beginning of an id')
    .addHelpText('after', '\nExamples:\n  image-cleaner explain nginx:1.25\n  image-cleaner explain 3fe1c0a9 --scanner none')
    .action(async (image: string, options: PlanOptions) => {
      const { explain } = await import('./commands/explain.ts');
      exit(await explain(context, image, options));
    });

  addHistoryOption(
    addConcurrencyOption(addPolicyOptions(addScannerOptions(command('scan', 'scan images, in use or not, and show the findings')))),
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

  program
    .command('history')
    .description('show what earlier runs removed and kept, and why')
    .argument('[run]', 'the number of a run; all runs if not given', runNumber)
    .option('--image <image>', 'all that was decided on one image: a tag, digest, id or beginning of an id')
    .option('--since <time>', 'runs that began since: a date, a time, or how long ago (7d)', timeBound)
    .option('--until <time>', 'runs that began until then', timeBound)
    .option('--limit <number>', 'the most runs, or decisions on an image, to show (default: 20 runs, 1000 decisions)', positiveInteger)
    .option('--history <file>', 'the history (default: IMAGE_CLEANER_HISTORY, else the state folder)')
    .addOption(outputOption())
    .addHelpText('after', HISTORY_EXAMPLES)
    .action(async (run: number | undefined, options: HistoryCommandOptions) => {
      const { history } = await import('./commands/history.ts');
      exit(await history(context, run, options));
    });

  cleaning(command('doctor', 'check whether this machine has what runs need, and say what to do'))
    .addHelpText('after', DOCTOR_HELP)
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import('./commands/doctor.ts');
      exit(await doctor(context, options));
    });

  program
    .command('verify-audit-log')
    .description('check that each line of an audit log (clean --audit-log) follows from the one before it')
    .argument('<file>', 'the audit log')
    .addOption(outputOption())
    .action(async (file: string, options: { readonly output: OutputFormat }) => {
      const { verifyAuditLog } = await import('./commands/verify-audit-log.ts');
      exit(await verifyAuditLog(context, file, options));
    });

  program
    .command('completion')
    .description('print the script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', COMPLETION_EXAMPLES)
    .action((shell: Shell) => exit(completion(context, program, shell)));

  for (const made of program.commands) refuseRepeats(made);
  return program;
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

/** What is wrong with a configuration, `doctor` shows beside all else; every other command ends with it. */
async function configure(context: CliContext, action: Command): Promise<void> {
  if (action.getOptionValue('config') === undefined) return;
  const { applyConfig } = await import('./apply-config.ts');
  try {
    await applyConfig(context, action);
  } catch (error) {
    if (action.name() !== 'doctor') throw error;
    action.setOptionValueWithSource('configFault', error, 'config');
  }
}

function reportError(context: CliContext, error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badUsage;
  if (context.signal.aborted && error === context.signal.reason) {
    context.stderr.write('Interrupted: nothing was removed.\n');
    return EXIT.interrupted;
  }
  const hint = error instanceof RoomError && error.hint !== undefined ? `\n${error.hint}` : '';
  const code = exitCodeOf(error, context.signal);
  const outcome = code === EXIT.refused && !(error instanceof CliError) ? '\nNothing was removed.' : '';
  context.stderr.write(`error: ${printableLines(errorMessage(error) + hint)}${outcome}\n`);
  return code;
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
