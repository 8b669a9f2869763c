import { join } from 'node:path';
import type { ImageMemory } from '../engine/ports.ts';
import { errorMessage, RoomError } from '../platform/errors.ts';
import type { History, HistoryReader, ScanRecords } from '../store/history.ts';
import { isPostgresUrl } from '../store/is-postgres-url.ts';
import type { HistoryPlace } from '../store/open-place.ts';
import { openHistory } from '../store/open-history.ts';
import { badUsage, CliError } from './cli-error.ts';
import type { CliContext } from './context.ts';
import type { Progress } from './output/progress.ts';
import type { AgeOptions, HistoryCommandOptions, HistoryOptions } from './parsed-options.ts';

/** What earlier runs on this machine know; all null where nothing is remembered. */
export interface BoundMemory {
  readonly history: History | null;
  /** Of the runtime at this endpoint; another one's images have ages of their own. */
  readonly imagesOf: (runtimeEndpoint: string) => ImageMemory | null;
  readonly records: ScanRecords | null;
}

const NO_MEMORY: BoundMemory = { history: null, imagesOf: () => null, records: null };

export interface MemoryUse {
  readonly progress: Progress;
  /**
   * `record`: a run that removes, which wants to be on record; without a history it is refused. `remember`: a command that gains by the history,
   * and works without.
   */
  readonly purpose: 'record' | 'remember';
}

/** Opens the history, does the work, and closes it whatever comes of that. */
export async function withMemory<T>(
  context: CliContext,
  options: HistoryOptions & Partial<AgeOptions>,
  { progress, purpose }: MemoryUse,
  work: (memory: BoundMemory) => Promise<T>,
): Promise<T> {
  if (options.history === false) return work(NO_MEMORY);
  let history: History;
  try {
    history = await openHistoryFor(context, options, progress);
  } catch (error) {
    if (!(error instanceof RoomError)) throw error;
    const fault = error as RoomError;
    if (!canDoWithout(fault, options, purpose)) throw refusedWithoutHistory(fault);
    progress.say(`Warning: ${errorMessage(error)}: nothing is remembered of this run`);
    return work(NO_MEMORY);
  }
  try {
    return await work({ history, imagesOf: (endpoint) => history.memoryOf(endpoint), records: history.scanRecords });
  } finally {
    await history.close();
  }
}

function openHistoryFor(context: CliContext, options: HistoryOptions, progress: Progress): Promise<History> {
  return openHistory({
    path: historyPath(context, options),
    now: context.now,
    bootClock: context.machine.bootClock,
    onWarning: (message) => progress.say(`Warning: ${message}`),
  });
}

/** For what only reads: a history that is not there is an empty one. */
export function openHistoryToRead(context: CliContext, options: HistoryOptions, onWarning: (message: string) => void): Promise<History> {
  const { now, machine } = context;
  return openHistory({
    path: historyPath(context, options),
    now,
    bootClock: machine.bootClock,
    onWarning,
    reading: { copyPlaces: [machine.temporaryDirectory, ...IN_MEMORY] },
  });
}

/** The same of a cluster's history, too, which may be in a PostgreSQL. */
export async function openHistoryReader(
  context: CliContext,
  options: Pick<HistoryCommandOptions, 'history' | 'historyPasswordFile'>,
  onWarning: (message: string) => void,
): Promise<HistoryReader> {
  const { historyPasswordFile: passwordFile } = options;
  const given = givenHistory(context, options);
  if (given === undefined || !isPostgresUrl(given)) {
    if (passwordFile !== undefined) throw badUsage('--history-password-file goes with a --history that is a URL.');
    return openHistoryToRead(context, options, onWarning);
  }
  const { openPostgresHistory } = await import('./open-postgres-history.ts');
  return openPostgresHistory(context, given, passwordFile);
}

/** Of a cluster, to write to it while the manager has it open. */
export async function clusterHistoryPlace(
  context: CliContext,
  options: Pick<HistoryCommandOptions, 'history' | 'historyPasswordFile'>,
): Promise<HistoryPlace> {
  const given = givenHistory(context, options);
  if (given === undefined || !isPostgresUrl(given)) return { path: historyPath(context, options) };
  const { postgresPlace } = await import('./open-postgres-history.ts');
  return postgresPlace(context, given, options.historyPasswordFile);
}

/** Where most machines have a filesystem in memory, which a full disk leaves alone. */
const IN_MEMORY = ['/dev/shm', '/run'];

/** `--history`, `IMAGE_CLEANER_HISTORY`, or the state folder: root's is `/var/lib/image-cleaner`, another user's by the XDG rules. */
export function historyPath(context: CliContext, options: HistoryOptions): string {
  const { env, machine } = context;
  const given = givenHistory(context, options);
  if (given !== undefined) {
    if (isPostgresUrl(given))
      throw badUsage("The history of a machine is a file: a PostgreSQL has a cluster's, which `image-cleaner history` shows.");
    return given;
  }
  if (machine.userId === 0) return '/var/lib/image-cleaner/history.db';
  // An empty one is unset, by the same rules.
  const set = env['XDG_STATE_HOME'];
  const state = set === undefined || set === '' ? join(machine.homeDirectory, '.local', 'state') : set;
  return join(state, 'image-cleaner', 'history.db');
}

function givenHistory({ env }: CliContext, { history }: HistoryOptions): string | undefined {
  const given = typeof history === 'string' ? history : env['IMAGE_CLEANER_HISTORY'];
  return given === '' ? undefined : given;
}

/** What makes no statement about the history's content: a place that cannot be written to. */
const NO_PLACE = ['unreadable', 'read-only', 'full'];

/** A full disk is what a run is there to cure; but ages are known from the history alone. */
function canDoWithout(error: RoomError, { minAge = 0, maxAge }: Partial<AgeOptions>, purpose: MemoryUse['purpose']): boolean {
  if (minAge > 0 || maxAge !== undefined) return false;
  return purpose === 'record' ? error.code === 'full' : NO_PLACE.includes(error.code);
}

function refusedWithoutHistory(error: RoomError): CliError {
  return new CliError({
    code: 'refused',
    message: `${error.message}\nNothing was removed.`,
    hint: `${error.hint ?? ''} --history names another file, --no-history does without.`.trim(),
    cause: error,
  });
}
