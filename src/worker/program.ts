import { LOGGING_CONTAINERS } from '../api/coordinator/logs-call.ts';
import type { LogLevel as ConfiguredLevel } from '../api/eraser-config.ts';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { createLog, LOG_LEVELS, type Log, type LogLevel } from '../platform/log.ts';
import { exitCodeOf, stateOf } from './exit-code-of.ts';
import type { ExitCode } from './exit-codes.ts';
import { LogShipper } from './log-shipper.ts';
import { parseArguments, type WorkerArguments } from './parse-arguments.ts';
import { formatEnd, writeTerminationLog } from './termination-log.ts';
import type { WorkerContext } from './worker-context.ts';

/** What the log may take to reach the coordinator once all else is done. A pod has 30 seconds after SIGTERM, of which the result may take 20. */
const LOG_PATIENCE_MS = { running: 20_000, stopping: 5_000 } as const;

/** Runs one of the programs of a worker pod. */
export async function runProgram(context: WorkerContext): Promise<ExitCode> {
  const program = context.args[0] ?? 'worker';
  const fields = { component: program, node: context.env['NODE_NAME'] ?? '' };
  let least: LogLevel = 'info';
  const shipper = createShipper(context, program, fields);
  const write = (line: string): void => {
    context.write(line);
    shipper?.add(line);
  };
  const log = createLog({ write, now: context.now, fields, least: () => least });
  let terminationLog: string | null = null;
  try {
    const args = parseArguments(context.args);
    terminationLog = args['termination-log'];
    least = levelOf(args['log-level']);
    await connectLogs(context, args, { shipper, log });
    return await start(context, args, log);
  } catch (error) {
    const code = exitCodeOf(error, context.signal);
    const message = errorMessage(error);
    const hint = error instanceof RoomError && error.hint !== undefined ? { hint: error.hint } : {};
    log.error('ended without having done its work', { error: message, ...hint });
    if (terminationLog !== null) await writeTerminationLog(terminationLog, formatEnd(stateOf(code), message), log);
    return code;
  } finally {
    await shipper?.end(LOG_PATIENCE_MS[context.signal.aborted ? 'stopping' : 'running']);
  }
}

/** null: a program of no such name, whose log nobody would take. */
function createShipper(
  { write, now, timing }: WorkerContext,
  program: string,
  fields: Readonly<Record<string, string>>,
): LogShipper | null {
  const container = LOGGING_CONTAINERS.find((known) => known === program);
  if (container === undefined) return null;
  // What it tells of itself is not for itself to send.
  const log = createLog({ write, now, fields, least: () => 'info' });
  const onGivenUp = (why: string): void => log.warn('the rest of this log does not reach the coordinator', { error: why });
  return new LogShipper({ container, timing, onGivenUp });
}

/** A run goes on without. */
async function connectLogs(
  context: WorkerContext,
  args: WorkerArguments,
  { shipper, log }: { readonly shipper: LogShipper | null; readonly log: Log },
): Promise<void> {
  try {
    shipper?.begin(await context.connectLogs(args));
  } catch (error) {
    shipper?.begin(null);
    log.warn('the coordinator cannot be told the log', { error: errorMessage(error) });
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
function levelOf(level: ConfiguredLevel): LogLevel {
  return LOG_LEVELS.find((known) => known === level) ?? 'error';
}
