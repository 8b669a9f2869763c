import { errorMessage } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { exitCodeOf, stateOf } from './exit-code-of.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createHandOver, type HandOver } from './hand-over.ts';
import { makeFailedResult, makeNodeResult } from './node-result.ts';
import { badUsage, type WorkerArguments } from './parse-arguments.ts';
import type { Coordinator, NodeResult } from './ports.ts';
import { readMountedExclusions, readMountedImageList } from './read-mounted-lists.ts';
import type { ScannerKind } from './read-handed-verdicts.ts';
import { removeByRules, removeListed, type RemoverOutcome } from './run-remover.ts';
import { formatTotals, writeTerminationLog } from './termination-log.ts';
import type { WorkerContext } from './worker-context.ts';

/** The remover: removes, tells the others that it is done, and tells the coordinator what came of it. */
export async function removerProgram(context: WorkerContext, args: WorkerArguments, log: Log): Promise<ExitCode> {
  const { signal } = context;
  const mode = args.run === 'manual' ? 'manual' : 'automatic';
  const startedAt = context.now();
  const handOver = args.run === 'automatic' ? createHandOver({ ...context, folder: context.paths.sharedData }) : null;
  let run: RemoverRun = { context, args, log, coordinator: null, handOver };
  let ended: Ended;
  try {
    run = { ...run, coordinator: await context.connectCoordinator(args, log) };
    const outcome = await remove(run);
    const result = makeNodeResult({ mode, startedAt, endedAt: context.now() }, outcome);
    ended = { result, code: codeOf(result, signal), patienceMs: outcome.isCoordinatorThere ? REPORT_PATIENCE_MS : MANUAL_PATIENCE_MS };
  } catch (error) {
    const code = exitCodeOf(error, signal);
    log.error('nothing was removed', { error: errorMessage(error) });
    const result = makeFailedResult({ mode, startedAt, endedAt: context.now() }, stateOf(code), errorMessage(error));
    ended = { result, code, patienceMs: mode === 'manual' ? MANUAL_PATIENCE_MS : REPORT_PATIENCE_MS };
  }
  log.info('run ended', { state: ended.result.state, ...ended.result.summary });
  const [isKept] = await Promise.all([
    report(run, ended),
    writeTerminationLog(args['termination-log'], formatTotals(ended.result), log),
    handOver === null ? null : release(run, handOver, args.scanner),
  ]);
  return isKept || ended.code !== EXIT.done ? ended.code : EXIT.failed;
}

interface RemoverRun {
  readonly context: WorkerContext;
  readonly args: WorkerArguments;
  readonly log: Log;
  readonly coordinator: Coordinator | null;
  readonly handOver: HandOver | null;
}

interface Ended {
  readonly result: NodeResult;
  readonly code: ExitCode;
  /** How long the coordinator may be away with the result not told. */
  readonly patienceMs: number;
}

/** So that another manager can take over meanwhile, on another node if need be: what was removed is on no other record. */
const REPORT_PATIENCE_MS = 600_000;
/** For a coordinator that has not been there before, without which a manual run can do. */
const MANUAL_PATIENCE_MS = 10_000;
/** Within the time that a pod has after SIGTERM (30 s), with the log still to send. Where nothing was removed, nobody is to wait for the pod. */
const STOPPING_PATIENCE_MS = { removed: 20_000, nothingRemoved: 2_000 } as const;

async function remove({ context, args, log, coordinator, handOver }: RemoverRun): Promise<RemoverOutcome> {
  const { paths, now, timing, signal } = context;
  const exclusions = await readMountedExclusions({ folder: paths.exclusions, parts: args.exclusions });
  const imageList = args.run === 'manual' ? await readMountedImageList({ folder: paths.imageList, parts: args['image-list'] }) : null;
  const runtime = await context.connectRuntime(signal);
  try {
    const surroundings = { runtime, log, now, timing, signal, exclusions };
    if (imageList !== null) return await removeListed({ ...surroundings, imageList, coordinator });
    if (coordinator === null) throw badUsage('an automatic run needs a coordinator: COORDINATOR_URL is not set');
    if (args.scanner === undefined) throw badUsage('--scanner is required in an automatic run');
    return await removeByRules({ ...surroundings, coordinator, handOver, scanner: args.scanner });
  } finally {
    runtime.close();
  }
}

function codeOf({ state }: NodeResult, signal: AbortSignal): ExitCode {
  if (state === 'completed') return EXIT.done;
  return state === 'interrupted' && signal.aborted ? EXIT.interrupted : EXIT.failed;
}

/** Whether the result is kept, as far as it has to be. */
async function report({ context, args, log, coordinator }: RemoverRun, { result, patienceMs }: Ended): Promise<boolean> {
  if (coordinator === null) return true;
  const isManual = args.run === 'manual';
  try {
    // Of a removal that has failed, only this result tells.
    const { removed = 0, failed = 0 } = result.summary ?? {};
    const stoppingMs = STOPPING_PATIENCE_MS[removed + failed === 0 ? 'nothingRemoved' : 'removed'];
    await coordinator.reportResult(result, patience(context.signal, { mostMs: patienceMs, stoppingMs }));
    return true;
  } catch (error) {
    log[isManual ? 'warn' : 'error']('the coordinator has not taken the result', { error: errorMessage(error) });
    return isManual;
  }
}

/** Aborts after so long, and sooner where the pod is told to end, before or meanwhile. */
function patience(stop: AbortSignal, { mostMs, stoppingMs }: { readonly mostMs: number; readonly stoppingMs: number }): AbortSignal {
  const most = AbortSignal.timeout(mostMs);
  if (stop.aborted) return AbortSignal.any([most, AbortSignal.timeout(stoppingMs)]);
  const stopped = new AbortController();
  const onStop = (): void => void setTimeout(() => stopped.abort(stop.reason), stoppingMs).unref();
  stop.addEventListener('abort', onStop, { once: true });
  return AbortSignal.any([most, stopped.signal]);
}

/** A scanner may have something to do between its message and its waiting for ours. */
const RELEASE_TIMEOUT_MS = 60_000;

/** Whatever came of it, the others need not wait any longer. */
async function release({ context, log }: RemoverRun, handOver: HandOver, scanner: ScannerKind | undefined): Promise<void> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(RELEASE_TIMEOUT_MS)]);
  const tell = (whom: string, told: Promise<void>): Promise<void> =>
    told.catch((error: unknown) => log.warn(`the ${whom} does not wait for us`, { error: errorMessage(error) }));
  await Promise.all([
    tell('collector', handOver.releaseCollector(signal)),
    scanner === 'off' ? null : tell('scanner', handOver.releaseScanner(signal)),
  ]);
}
