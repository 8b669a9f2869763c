import { formatBytes } from '../../platform/quantity.ts';
import type { Attempt } from './attempt.ts';
import { ok, problem, skipped, warning, type Finding } from './check.ts';

export interface RightsFacts {
  readonly userId: number;
  /** null: there is no socket to open. */
  readonly socket: { readonly path: string; readonly isAccessible: boolean } | null;
  /** null: no history is kept. */
  readonly historyFolder: { readonly path: string; readonly isWritable: boolean } | null;
}

export function judgeRights({ userId, socket, historyFolder }: RightsFacts): Finding {
  const who = userId === 0 ? 'root' : `User ${String(userId)}`;
  if (socket?.isAccessible === false) {
    return problem(`${who} may not open ${socket.path}`, 'Run as root: the socket gives full control over the node.');
  }
  if (historyFolder?.isWritable === false) {
    return problem(
      `${who} cannot write to ${historyFolder.path}, where the history is kept`,
      'Run as root, name another file with --history, or keep none: --no-history.',
    );
  }
  const may = [socket === null ? null : `open ${socket.path}`, historyFolder === null ? null : `write to ${historyFolder.path}`];
  const named = may.filter((what) => what !== null);
  return named.length === 0 ? skipped(`${who}; there is nothing to open`) : ok(`${who} may ${named.join(' and ')}`);
}

export interface TemporaryFolderFacts {
  readonly path: string;
  readonly space: Attempt<{ readonly availableBytes: number }>;
  /** As the runtime reports it, mostly compressed; null: unknown. */
  readonly largestImageBytes: number | null;
}

const LEAST_SPACE_BYTES = 1024 ** 3;
/** Layers are some two to three times as large unpacked. */
const UNPACKED = 3;

/** Trivy unpacks what it scans there. */
export function judgeTemporaryFolder({ path, space, largestImageBytes }: TemporaryFolderFacts): Finding {
  if (!space.ok) return problem(`Nothing can be written to ${path}: ${space.message}`, 'Set TMPDIR to a folder that can be written to.');
  const { availableBytes } = space.value;
  const wanted = Math.max(LEAST_SPACE_BYTES, (largestImageBytes ?? 0) * UNPACKED);
  const found = `${path} has ${formatBytes(availableBytes)} free`;
  if (availableBytes >= wanted) return ok(found);
  return warning(
    `${found}; the scan of a large image may need ${formatBytes(wanted)}, and it stays without a verdict if that is not there`,
    'Set TMPDIR to a folder with more space.',
  );
}

export interface ClockFacts {
  readonly now: number;
  /** null: it cannot be told. */
  readonly isSynchronised: boolean | null;
  /** The newest time that something else on the machine bears; null: none is known. */
  readonly newest: { readonly what: string; readonly at: number } | null;
}

const TOLERATED_MS = 10 * 60_000;

export function judgeClock({ now, isSynchronised, newest }: ClockFacts): Finding {
  const time = new Date(now).toISOString();
  const advice = 'Set the clock right and keep it so, for example with chrony or systemd-timesyncd.';
  if (newest !== null && newest.at > now + TOLERATED_MS) {
    return warning(
      `It is ${time} by the clock, before ${newest.what} (${new Date(newest.at).toISOString()}): the clock is or was wrong`,
      advice,
    );
  }
  if (isSynchronised === null) return skipped(`${time}; whether it is synchronised cannot be told from here`);
  return isSynchronised ? ok(`${time}, synchronised`) : warning(`${time}; the clock is not synchronised`, advice);
}

export interface MemoryFacts {
  /** What this process may use now. */
  readonly memoryBytes: number;
  readonly forScansBytes: number;
  readonly concurrency: number;
  readonly perScanBytes: number;
}

export function judgeMemory({ memoryBytes, forScansBytes, concurrency, perScanBytes }: MemoryFacts): Finding {
  const found = `${formatBytes(memoryBytes)} may be used, ${formatBytes(forScansBytes)} of it for scans, ${String(concurrency)} at once`;
  const wantedBytes = perScanBytes * concurrency;
  if (forScansBytes >= wantedBytes) return ok(found);
  const scans = concurrency === 1 ? 'one scan needs' : `${String(concurrency)} scans need`;
  return warning(
    `${found}; ${scans} up to ${formatBytes(wantedBytes)}: the kernel may end one, and its image stays without a verdict`,
    'Raise the memory limit of this process, free memory, give scans more of it with --scan-memory, or lower --concurrency.',
  );
}
