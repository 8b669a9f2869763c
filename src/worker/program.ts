import type { LogLevel } from '../api/eraser-config.ts';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { exitCodeOf } from './exit-code-of.ts';
import type { ExitCode } from './exit-codes.ts';
import { createLog, LEVELS, type Level, type Log } from './log.ts';
import { parseArguments, type WorkerArguments } from './parse-arguments.ts';
import { writeTerminationLog } from './termination-log.ts';
import type { WorkerContext } from './worker-context.ts';

/** Runs one of the programs of a worker pod. */
export async function runProgram(context: WorkerContext): Promise<ExitCode> {
  const program = context.args[0] ?? 'worker';
  const node = context.env['NODE_NAME'] ?? '';
  const logFrom = (least: Level): Log => createLog({ ...context, component: program, node, least });
  let log = logFrom('info');
  let terminationLog: string | null = null;
  try {
    const args = parseArguments(context.args);
    terminationLog = args['termination-log'];
    log = logFrom(levelOf(args['log-level']));
    return await start(context, args, log);
  } catch (error) {
    const message = errorMessage(error);
    const hint = error instanceof RoomError && error.hint !== undefined ? { hint: error.hint } : {};
    log.error('ended without having done its work', { error: message, ...hint });
    if (terminationLog !== null) await writeTerminationLog(terminationLog, JSON.stringify({ state: 'failed', message }), log);
    return exitCodeOf(error, context.signal);
  }
}

/** Each loads what it runs. */
async function start(context: WorkerContext, args: WorkerArguments, log: Log): Promise<ExitCode> {
  switch (args.program) {
    case 'collector':
      return (await import('./collector-program.ts')).collectorProgram(context, args, log);
    case 'remover':
      return (await import('./remover-program.ts')).removerProgram(context, args, log);
    case 'trivy-scanner':
      return (await import('./scanner-program.ts')).scannerProgram(context, args, log);
  }
}

/** The levels above error are for programs that panic. */
function levelOf(level: LogLevel): Level {
  return LEVELS.find((known) => known === level) ?? 'error';
}
