import type { Log } from '../platform/log.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createHandOver } from './hand-over.ts';
import { badUsage, type WorkerArguments } from './parse-arguments.ts';
import { readMountedExclusions } from './read-mounted-lists.ts';
import { runCollector } from './run-collector.ts';
import type { WorkerContext } from './worker-context.ts';

export async function collectorProgram(context: WorkerContext, args: WorkerArguments, log: Log): Promise<ExitCode> {
  const { paths, now, timing, signal } = context;
  if (args.scanner === undefined) throw badUsage('--scanner is required');
  const exclusions = await readMountedExclusions({ folder: paths.exclusions, parts: args.exclusions });
  const coordinator = await context.connectCoordinator(args, log);
  if (coordinator === null) throw badUsage('an automatic run needs a coordinator: COORDINATOR_URL is not set');
  const runtime = await context.connectRuntime(signal);
  try {
    const handOver = createHandOver({ ...context, folder: paths.sharedData });
    await runCollector({ runtime, log, now, timing, signal, coordinator, exclusions, scanner: args.scanner, handOver });
    return EXIT.done;
  } finally {
    runtime.close();
  }
}
