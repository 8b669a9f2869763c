import type { TrivyConfig } from '../api/eraser-config.ts';
import type { ScanResults } from '../api/scan-report.ts';
import { imageIdKey } from '../core/reference.ts';
import type { EngineEvent, OnEvent } from '../engine/events.ts';
import { scanImages } from '../engine/scan-images.ts';
import { errorMessage } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { createCoordinatorRecords, type CoordinatorRecords } from './coordinator-records.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createHandOver } from './hand-over.ts';
import type { WorkerArguments } from './parse-arguments.ts';
import { formatScanFault, formatScanResults } from './read-handed-verdicts.ts';
import type { BoundScanner, WorkerContext } from './worker-context.ts';
import { WorkerError } from './worker-error.ts';

/** Our scanner: what the collector offers it scans, and tells the remover of each image what came of it. */
export async function scannerProgram(context: WorkerContext, args: WorkerArguments, log: Log): Promise<ExitCode> {
  const { signal } = context;
  const handOver = createHandOver({ ...context, folder: context.paths.sharedData });
  await handOver.openScanner(signal);
  // While the collector looks around.
  const preparing = prepare(context, args, log);
  preparing.catch(() => undefined);
  const offered = await handOver.readOffer(signal).catch(async (error: unknown) => {
    await preparing.then(({ close }) => close()).catch(() => undefined);
    throw error;
  });
  const wanted = offered.map(({ imageId }) => imageId);
  let scanned: Scanned;
  try {
    scanned = await scan(context, { prepared: await preparing, log, wanted });
  } catch (error) {
    signal.throwIfAborted();
    log.error('the scanner cannot work', { error: errorMessage(error) });
    await handOver.writeScan(formatScanFault(errorMessage(error)), signal);
    // The remover waits for who is to hear that it is done.
    await handOver.awaitScannerRelease(signal);
    throw error;
  }
  const { results, reused, records } = scanned;
  await handOver.writeScan(formatScanResults(results, reused), signal);
  await Promise.all([records?.tell(), handOver.awaitScannerRelease(signal)]);
  return EXIT.done;
}

interface Prepared extends BoundScanner {
  readonly runtime: Runtime;
  /** null: there is nobody who remembers scans. */
  readonly records: CoordinatorRecords | null;
  readonly timeout: TrivyConfig['timeout'];
  readonly close: () => Promise<void>;
}

type Runtime = Awaited<ReturnType<WorkerContext['connectRuntime']>>;

/** All that a scan needs but the images. The first probe begins at once; when it fails, whoever has an image to scan asks again. */
async function prepare(context: WorkerContext, args: WorkerArguments, log: Log): Promise<Prepared> {
  const { signal } = context;
  let read: Promise<TrivyConfig> | null = null;
  const config = (): Promise<TrivyConfig> => (read ??= readTrivyConfig(args.config));
  const timeout = await readTimes(args, config);
  const coordinator = await context.connectCoordinator(args, log);
  const runtime = await context.connectRuntime(signal);
  try {
    const { name: runtimeName } = await runtime.version(signal);
    const { scanner, concurrency } = await context.connectScanner({ args, config, runtimeName });
    const ended = new AbortController();
    const first = scanner.unsupportedBecause === null ? scanner.probe(AbortSignal.any([signal, ended.signal])).catch(() => null) : null;
    return {
      runtime,
      records: coordinator === null ? null : createCoordinatorRecords(coordinator, log, signal),
      scanner: {
        unsupportedBecause: scanner.unsupportedBecause,
        probe: async (until) => (await first) ?? scanner.probe(until),
        scan: (target, until) => scanner.scan(target, until),
        evaluate: (analyses, until) => scanner.evaluate(analyses, until),
        close: () => scanner.close(),
      },
      concurrency,
      timeout,
      close: async () => {
        ended.abort(new Error('the scanner is not needed any more'));
        await scanner.close();
        runtime.close();
      },
    };
  } catch (error) {
    runtime.close();
    throw error;
  }
}

interface ScanRequest {
  readonly prepared: Prepared;
  readonly log: Log;
  /** The ids of the images. */
  readonly wanted: readonly string[];
}

interface Scanned {
  readonly results: ScanResults;
  /** How many of them were on record. */
  readonly reused: number;
  readonly records: CoordinatorRecords | null;
}

async function scan(
  { signal }: WorkerContext,
  { prepared: { runtime, records, scanner, concurrency, timeout, close }, log, wanted }: ScanRequest,
): Promise<Scanned> {
  try {
    const keys = new Set(wanted.map(imageIdKey));
    // One that is gone by now has no result, and needs none.
    const images = (await runtime.listImages(signal)).filter(({ id }) => keys.has(imageIdKey(id)));
    const limits = { concurrency, perImageTimeoutMs: timeout.perImage, totalTimeoutMs: timeout.total };
    let reused = 0;
    const onEvent: OnEvent = (event) => {
      if (event.kind === 'verdicts-known') reused = event.reused;
      logScan(log, event);
    };
    const results = await scanImages({ scanner, runtime, records, images, limits, onEvent, signal });
    return { results, reused, records };
  } finally {
    await close();
  }
}

/** The arguments', as far as they say; a total time of theirs is one more limit. */
async function readTimes(args: WorkerArguments, config: () => Promise<TrivyConfig>): Promise<TrivyConfig['timeout']> {
  const { 'scan-time': total, 'image-time': perImage } = args;
  if (total !== undefined && perImage !== undefined) return { total, perImage };
  const { timeout } = await config();
  return { total: Math.min(timeout.total, total ?? Infinity), perImage: perImage ?? timeout.perImage };
}

async function readTrivyConfig(path: string): Promise<TrivyConfig> {
  const { readConfig } = await import('./read-config.ts');
  const { scanner } = (await readConfig(path)).components;
  if (scanner.config.kind === 'trivy') return scanner.config;
  throw new WorkerError({ code: 'bad-input', message: `the configuration ${path} is for a scanner of another kind` });
}

function logScan(log: Log, event: EngineEvent): void {
  if (event.kind === 'verdicts-known') log.info('images that were scanned before', { ...event.scanner, images: event.reused });
  if (event.kind === 'scan-started') log.info('scan started', { ...event.scanner, images: event.images, concurrency: event.concurrency });
  if (event.kind !== 'image-scanned') return;
  const { image, result, done, total } = event;
  const facts = { image: image.repoTags[0] ?? image.id, imageId: image.id, done, total };
  if (result.kind === 'scanned') log.info('image scanned', { ...facts, findings: result.report.findings.length });
  else if (result.kind === 'unscanned') log.warn('no verdict', { ...facts, reason: result.reason, why: result.message });
  else log.warn('image cannot be scanned', { ...facts, error: result.error });
}
