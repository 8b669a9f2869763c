import { Command, CommanderError } from 'commander';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { CliError } from './cli-error.ts';
import { clean } from './commands/clean.ts';
import { explain } from './commands/explain.ts';
import { list } from './commands/list.ts';
import { scan } from './commands/scan.ts';
import type { CliContext } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import {
  addConcurrencyOption,
  addPolicyOptions,
  addRuntimeOptions,
  addScannerOptions,
  addSelectionOptions,
  describeOption,
  refuseContradictions,
  refuseLostValues,
} from './options.ts';
import { printable } from './output/image-name.ts';
import type { CleanOptions, PlanOptions, PolicyOptions, RuntimeOptions, ScannerOptions } from './parsed-options.ts';
import { CriError } from '../cri/cri-error.ts';
import { ScannerFault } from '../scan/scanner-fault.ts';

/** Runs one command line; returns the exit code and never throws. */
export async function runProgram(context: CliContext, argv: readonly string[], version: string): Promise<ExitCode> {
  const result: { code: ExitCode } = { code: EXIT.done };
  const program = createProgram(context, version, (code) => (result.code = code));
  try {
    await program.parseAsync([...argv], { from: 'user' });
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

function createProgram(context: CliContext, version: string, exit: (code: ExitCode) => void): Command {
  const program = new Command('image-cleaner')
    .description('Finds the images on this node that nothing uses, scans them, decides with reasons which must go, and removes them.')
    .version(version)
    .exitOverride()
    .configureHelp({ optionDescription: describeOption })
    .hook('preAction', (_program, action) => {
      refuseLostValues(action);
      refuseContradictions(action);
    })
    .configureOutput({ writeOut: (text) => context.stdout.write(text), writeErr: (text) => context.stderr.write(text) })
    .showHelpAfterError('(--help after the command shows what it takes)')
    .addHelpText('after', EXIT_CODES_HELP);

  const command = (name: string, description: string): Command => addRuntimeOptions(program.command(name).description(description));
  const planning = (made: Command): Command => addConcurrencyOption(addPolicyOptions(addScannerOptions(addSelectionOptions(made))));

  planning(command('clean', 'remove the images that nothing uses and that the policy does not want'))
    .option('--dry-run', 'show the plan, remove nothing', false)
    .option('-y, --yes', 'remove without asking', false)
    .addHelpText('after', CLEAN_EXAMPLES)
    .action(async (options: CleanOptions) => exit(await clean(context, options)));

  command('list', 'list the images of this node and what uses them')
    .addHelpText('after', '\nExamples:\n  image-cleaner list\n  image-cleaner list -o json')
    .action(async (options: RuntimeOptions) => exit(await list(context, options)));

  planning(
    command('explain', 'show which rule keeps or removes an image, and why').argument('<image>', 'tag, digest, id or beginning of an id'),
  )
    .addHelpText('after', '\nExamples:\n  image-cleaner explain nginx:1.25\n  image-cleaner explain 3fe1c0a9 --scanner none')
    .action(async (image: string, options: PlanOptions) => exit(await explain(context, image, options)));

  addConcurrencyOption(addPolicyOptions(addScannerOptions(command('scan', 'scan images, in use or not, and show the findings'))))
    .argument('<image...>', 'tags, digests, ids or beginnings of ids')
    .addHelpText(
      'after',
      '\nExamples:\n  image-cleaner scan nginx:1.25\n  image-cleaner scan nginx:1.25 redis:7 --severity CRITICAL,HIGH -o json',
    )
    .action(async (images: string[], options: RuntimeOptions & ScannerOptions & PolicyOptions) =>
      exit(await scan(context, images, options)),
    );

  return program;
}

const CLEAN_EXAMPLES = `
Examples:
  image-cleaner clean --dry-run                          what would go, and why
  image-cleaner clean --severity CRITICAL,HIGH --yes     without asking, for scripts
  image-cleaner clean --scanner none                     every unused image
  image-cleaner clean --exclude 'ghcr.io/acme/*'         keep a registry's or repository's images
  image-cleaner clean --image alpine:3.7.3               this image, if nothing uses it
  image-cleaner clean --dry-run -o json | jq '.decisions[] | select(.outcome == "remove")'`;

function reportError(context: CliContext, error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.badUsage;
  // Only what comes before the removals is thrown at an interrupt; they end with a report.
  if (context.signal.aborted && error === context.signal.reason) {
    context.stderr.write('Interrupted: nothing was removed.\n');
    return EXIT.interrupted;
  }
  const hint = error instanceof RoomError && error.hint !== undefined ? `\n${error.hint}` : '';
  const outcome = error instanceof ScannerFault ? '\nNothing was removed.' : '';
  context.stderr.write(`error: ${printableLines(errorMessage(error) + hint)}${outcome}\n`);
  if (error instanceof ScannerFault) return EXIT.refused;
  if (error instanceof CriError && (error.code === 'invalid-endpoint' || error.code === 'invalid-config')) return EXIT.badUsage;
  if (!(error instanceof CliError)) return EXIT.failed;
  return error.code === 'refused' ? EXIT.refused : error.code === 'bad-usage' ? EXIT.badUsage : EXIT.failed;
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
