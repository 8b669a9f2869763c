import { execFile } from 'node:child_process';
import { access, constants, mkdtemp, rmdir, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { historyPath } from '../bind-history.ts';
import { SCAN_MEMORY_BYTES, scanConcurrency, scanMemory } from '../bind-scanner.ts';
import type { CliContext } from '../context.ts';
import type { HistoryOptions, ScannerOptions } from '../parsed-options.ts';
import { attempt } from './attempt.ts';
import type { MemoryFacts, RightsFacts, TemporaryFolderFacts } from './judge-machine.ts';

/** null: no history is kept. */
export async function readHistoryFolder(context: CliContext, options: HistoryOptions): Promise<RightsFacts['historyFolder']> {
  if (options.history === false) return null;
  const path = resolve(historyPath(context, options));
  // A file that is there must be writable itself; its folder too, for the files beside it.
  for (const place of [path, await nearestThere(dirname(path))]) {
    if ((await isThere(place)) && !(await may(place, constants.W_OK))) return { path: dirname(path), isWritable: false };
  }
  return { path: dirname(path), isWritable: true };
}

/** The folder, or the first above it that is there: what is missing below can be made in it. */
async function nearestThere(folder: string): Promise<string> {
  return (await isThere(folder)) || folder === dirname(folder) ? folder : nearestThere(dirname(folder));
}

function isThere(path: string): Promise<boolean> {
  return may(path, constants.F_OK);
}

function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

export async function readTemporaryFolder({ machine, signal }: CliContext): Promise<Omit<TemporaryFolderFacts, 'largestImageBytes'>> {
  const path = resolve(machine.temporaryDirectory);
  const space = await attempt(signal, async () => {
    await rmdir(await mkdtemp(join(path, 'image-cleaner-doctor-')));
    const { bavail, bsize } = await statfs(path);
    return { availableBytes: bavail * bsize };
  });
  return { path, space };
}

/** What `timedatectl` asks the kernel may take a moment. */
const CLOCK_TIMEOUT_MS = 3_000;

/** What the kernel says; null where it cannot be asked. */
export async function readIsSynchronised({ env, signal }: CliContext): Promise<boolean | null> {
  const args = ['show', '--property=NTPSynchronized', '--value'];
  const options = { env: { PATH: env['PATH'] }, timeout: CLOCK_TIMEOUT_MS, signal };
  const answer = await attempt(signal, () => promisify(execFile)('timedatectl', args, options));
  const said = answer.ok ? answer.value.stdout.trim() : '';
  if (said === 'yes' || said === 'no') return said === 'yes';
  // systemd-timesyncd leaves it there, also for those who may not ask.
  return (await isThere('/run/systemd/timesync/synchronized')) ? true : null;
}

export function readMemory(context: CliContext, options: ScannerOptions): MemoryFacts {
  const { memoryBytes } = context.machine;
  const [forScansBytes, concurrency] = [scanMemory(context, options), scanConcurrency(context, options)];
  return { memoryBytes, forScansBytes, concurrency, perScanBytes: SCAN_MEMORY_BYTES };
}
