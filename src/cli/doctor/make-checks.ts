import type { CliContext } from '../context.ts';
import type { DoctorOptions } from '../parsed-options.ts';
import { checkOptions } from './check-options.ts';
import { checkOf, skipped, type Check, type Finding } from './check.ts';
import { judgeHistory, judgeIntegrity } from './judge-history.ts';
import { judgeKubelet } from './judge-kubelet.ts';
import { judgeClock, judgeMemory, judgeRights, judgeTemporaryFolder, type ClockFacts } from './judge-machine.ts';
import { judgeEraser, judgeImageFilesystem, judgeRuntime, judgeServices } from './judge-runtime.ts';
import { judgeDatabase, judgeJavaIndex, judgeServer, judgeTrivy, type DatabaseFacts } from './judge-trivy.ts';
import { readHistory, readIntegrity } from './read-history.ts';
import { readKubelet } from './read-kubelet.ts';
import { readHistoryFolder, readIsSynchronised, readMemory, readTemporaryFolder } from './read-machine.ts';
import { readRuntime, type RuntimeFacts } from './read-runtime.ts';
import { readDatabase, readJavaIndex, readServer, readTrivy } from './read-trivy.ts';

/** All that is looked at, in the order in which it is shown. Throws only the reason of the signal. */
export async function makeChecks(context: CliContext, options: DoctorOptions): Promise<Check[]> {
  const { signal, machine } = context;
  const runtime = await readRuntime(context, options);
  const filesystem = runtime.details?.filesystem ?? null;
  const history = await readHistory(context, options);
  const historyFolder = await readHistoryFolder(context, options);
  const scan = await checkScan(context, options, runtime);
  const lastRun = history?.ok === true ? history.value.runs[0] : undefined;
  const newest = newestOf([scan.databaseMadeAt, lastRun === undefined ? null : { what: 'the last run', at: lastRun.startedAt }]);
  const limits = { ...options, filesystem: filesystem?.ok === true ? filesystem.value : null };
  return [
    checkOf('runtime', judgeRuntime(runtime.contact)),
    checkOf('rights', judgeRights({ userId: machine.userId, socket: runtime.socket, historyFolder })),
    checkOf('containerd-services', judgeServices(runtime.details?.services ?? null, scan.isNeeded)),
    checkOf('image-filesystem', judgeImageFilesystem(filesystem)),
    ...scan.checks,
    checkOf('history', judgeHistory(history)),
    checkOf('history-integrity', judgeIntegrity(await readIntegrity(context, options))),
    ...(await checkOptions(context, options, { runtime, history })),
    checkOf('clock', judgeClock({ now: context.now(), isSynchronised: await readIsSynchronised(context), newest })),
    checkOf('kubelet', judgeKubelet(await readKubelet(signal), limits)),
    checkOf('eraser', judgeEraser(runtime.details?.containers ?? null)),
  ];
}

interface ScanChecks {
  readonly isNeeded: boolean;
  readonly checks: readonly Check[];
  /** null: unknown. */
  readonly databaseMadeAt: ClockFacts['newest'];
}

/** What only scans need. */
async function checkScan(context: CliContext, options: DoctorOptions, { details }: RuntimeFacts): Promise<ScanChecks> {
  const notNeeded = whyNoScan(options);
  if (notNeeded !== null) {
    const checks = SCAN_CHECKS.map((id) => checkOf(id, skipped(`Not needed: ${notNeeded}`)));
    return { isNeeded: false, checks, databaseMadeAt: null };
  }
  const server = await readServer(context, options);
  const database = await readDatabase(context, options);
  const temporaryFolder = { ...(await readTemporaryFolder(context)), largestImageBytes: details?.largestImageBytes ?? null };
  const findings: Readonly<Record<(typeof SCAN_CHECKS)[number], Finding>> = {
    trivy: judgeTrivy(await readTrivy(context, options, details?.version.name ?? null)),
    'vulnerability-database': judgeDatabase(database),
    'java-index': judgeJavaIndex(await readJavaIndex(context, options)),
    'temporary-folder': judgeTemporaryFolder(temporaryFolder),
    memory: judgeMemory(readMemory(context, options)),
  };
  const [trivy, ...others] = SCAN_CHECKS.map((id) => checkOf(id, findings[id]));
  const checks = [trivy, server === null ? undefined : checkOf('trivy-server', judgeServer(server)), ...others];
  return { isNeeded: true, checks: checks.filter((check) => check !== undefined), databaseMadeAt: madeAt(database) };
}

const SCAN_CHECKS = ['trivy', 'vulnerability-database', 'java-index', 'temporary-folder', 'memory'] as const;

/** null: images are scanned. */
function whyNoScan({ image, scanner }: DoctorOptions): string | null {
  if (image.length > 0) return 'with --image nothing is scanned';
  return scanner === 'none' ? 'the scanner is off' : null;
}

function madeAt(database: DatabaseFacts | null): ClockFacts['newest'] {
  if (database?.updatedAt.ok !== true || database.updatedAt.value === null) return null;
  return { what: 'the making of the vulnerability database', at: Date.parse(database.updatedAt.value) };
}

function newestOf(times: readonly ClockFacts['newest'][]): ClockFacts['newest'] {
  return times.reduce((newest, time) => (time !== null && time.at > (newest?.at ?? 0) ? time : newest), null);
}
