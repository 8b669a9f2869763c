import type { TrivyConfig } from '../api/eraser-config.ts';
import { imageIdKey } from '../core/reference.ts';
import type { EngineEvent, OnEvent } from '../engine/events.ts';
import type { ImageReader, Scanner } from '../engine/ports.ts';
import { scanImages } from '../engine/scan-images.ts';
import { errorMessage } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createHandOver } from './hand-over.ts';
import type { WorkerArguments } from './parse-arguments.ts';
import { formatScanFault, formatScanResults } from './read-handed-verdicts.ts';
import { shareScans, type SharedScans } from './share-scans.ts';
import type { Coordinator } from './ports.ts';
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
  let scanned: SharedScans;
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
  await handOver.writeScan(formatScanResults(scanned.results, scanned.reused), signal);
  await handOver.awaitScannerRelease(signal);
  return EXIT.done;
}

interface Prepared {
  readonly runtime: Runtime;
  readonly bound: BoundScanner;
  /** null: there is none. */
  readonly coordinator: Coordinator | null;
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
    const bound = await context.connectScanner({ args, config, runtimeName });
    const ended = new AbortController();
    const first = probeAhead(bound, AbortSignal.any([signal, ended.signal]));
    return {
      runtime,
      coordinator,
      bound: first.bound,
      timeout,
      close: async () => {
        ended.abort(new Error('the scanner is not needed any more'));
        await first.close();
        runtime.close();
      },
    };
  } catch (error) {
    runtime.close();
    throw error;
  }
}

interface ProbedAhead {
  readonly bound: BoundScanner;
  readonly close: () => Promise<void>;
}

/** The same, of which the first probe is under way. */
function probeAhead(bound: BoundScanner, signal: AbortSignal): ProbedAhead {
  const begin = <Info>(part: { readonly unsupportedBecause: string | null; readonly probe: (until: AbortSignal) => Promise<Info> }) => {
    const first = part.unsupportedBecause === null ? part.probe(signal).catch(() => null) : null;
    return async (until: AbortSignal): Promise<Info> => (await first) ?? part.probe(until);
  };
  if (bound.kind === 'scanner') {
    const { scanner } = bound;
    const ahead: Scanner = {
      unsupportedBecause: scanner.unsupportedBecause,
      probe: begin(scanner),
      scan: (target, until) => scanner.scan(target, until),
      evaluate: (analyses, until) => scanner.evaluate(analyses, until),
      close: () => scanner.close(),
    };
    return { bound: { ...bound, scanner: ahead }, close: () => scanner.close() };
  }
  const { reader } = bound;
  const ahead: ImageReader = {
    unsupportedBecause: reader.unsupportedBecause,
    probe: begin(reader),
    read: (target, until) => reader.read(target, until),
    close: () => reader.close(),
  };
  return { bound: { ...bound, reader: ahead }, close: () => reader.close() };
}

interface ScanRequest {
  readonly prepared: Prepared;
  readonly log: Log;
  /** The ids of the images. */
  readonly wanted: readonly string[];
}

async function scan(
  { signal, timing }: WorkerContext,
  { prepared: { runtime, coordinator, bound, timeout, close }, log, wanted }: ScanRequest,
): Promise<SharedScans> {
  try {
    const keys = new Set(wanted.map(imageIdKey));
    // One that is gone by now has no result, and needs none.
    const images = (await runtime.listImages(signal)).filter(({ id }) => keys.has(imageIdKey(id)));
    const limits = { concurrency: bound.concurrency, perImageTimeoutMs: timeout.perImage, totalTimeoutMs: timeout.total };
    const onEvent: OnEvent = (event) => logScan(log, event);
    if (bound.kind === 'reader') {
      if (coordinator === null) throw new Error('there is nobody to judge what is read');
      return await shareScans({ reader: bound.reader, coordinator, runtime, images, limits, timing, onEvent, signal });
    }
    const results = await scanImages({ scanner: bound.scanner, runtime, records: null, images, limits, onEvent, signal });
    return { results, reused: 0 };
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
