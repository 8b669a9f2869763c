import { Command, CommanderError } from 'commander';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { addCommands } from './add-commands.ts';
import { CliError } from './cli-error.ts';
import { addClusterCommands, CLUSTER_DESCRIPTION } from './cluster/add-cluster-commands.ts';
import type { CliContext } from './context.ts';
import { refuseContradictions } from './contradictions.ts';
import { exitCodeOf } from './exit-code-of.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { describeOption, refuseLostValues } from './options.ts';
import { loadFormat, type OutputFormat } from './output/write-document.ts';
import { printable } from './output/image-name.ts';
import { refuseRepeats } from './refuse-repeats.ts';

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

const DESCRIPTION = 'Finds the images on this node that nothing uses, scans them, decides with reasons which must go, and removes them.';

const EXIT_CODES_HELP = `
Exit codes:
  0    done
  1    something failed; what was removed is reported
  2    bad usage
  3    refused: nothing was removed, since it was not confirmed or could not be decided safely
  130  interrupted, after the removals in hand`;

/** With all commands where `commandLine` begins with none. */
export function createProgram(context: CliContext, exit: (code: ExitCode) => void): Command {
  const { isKubectlPlugin } = context;
  const program = new Command(isKubectlPlugin ? 'kubectl image-cleaner' : 'image-cleaner')
    .description(isKubectlPlugin ? CLUSTER_DESCRIPTION : DESCRIPTION)
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

  if (isKubectlPlugin) addClusterCommands({ cluster: program, context, exit });
  else addCommands({ program, context, exit, reportError });
  for (const made of commandsOf(program)) refuseRepeats(made);
  return program;
}

/** With those of its commands. */
function commandsOf(command: Command): Command[] {
  return command.commands.flatMap((made) => [made, ...commandsOf(made)]);
}

/** What is wrong with a configuration, `doctor` shows beside all else; every other command ends with it. */
async function configure(context: CliContext, action: Command): Promise<void> {
  // The configuration of a cluster is for its manager.
  if (action.getOptionValue('config') === undefined || action.parent?.name() === 'cluster') return;
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
