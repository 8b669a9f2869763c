import { styleText } from 'node:util';
import type { CliContext } from '../context.ts';
import type { Check, CheckStatus, Finding } from '../doctor/check.ts';
import { judgeKubelet } from '../doctor/judge-kubelet.ts';
import { judgeClock, judgeHistory, judgeMemory, judgeRights, judgeTemporaryFolder, type ClockFacts } from '../doctor/judge-machine.ts';
import { judgeEraser, judgeImageFilesystem, judgeRuntime, judgeServices } from '../doctor/judge-runtime.ts';
import { judgeDatabase, judgeJavaIndex, judgeServer, judgeTrivy } from '../doctor/judge-trivy.ts';
import { readKubelet } from '../doctor/read-kubelet.ts';
import { readHistory, readHistoryFolder, readIsSynchronised, readMemory, readTemporaryFolder } from '../doctor/read-machine.ts';
import { readRuntime } from '../doctor/read-runtime.ts';
import { readDatabase, readJavaIndex, readServer, readTrivy } from '../doctor/read-trivy.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { formatTable } from '../output/format-table.ts';
import { printable } from '../output/image-name.ts';
import { usesColor } from '../output/terminal.ts';
import { writeDocument } from '../output/write-document.ts';
import type { DoctorOptions } from '../parsed-options.ts';

/** `image-cleaner doctor`: whether this machine has what runs need; changes nothing. */
export async function doctor(context: CliContext, options: DoctorOptions): Promise<ExitCode> {
  const checks = await makeChecks(context, options);
  const isWell = checks.every(({ status }) => status !== 'problem');
  await writeDocument(context.stdout, options.output, { ok: isWell, version: context.version, checks }, () =>
    formatChecks(checks, usesColor(context, context.stdout)),
  );
  return isWell ? EXIT.done : EXIT.failed;
}

/** Throws only the reason of the signal. */
async function makeChecks(context: CliContext, options: DoctorOptions): Promise<Check[]> {
  const { signal, machine, now } = context;
  const runtime = await readRuntime(context, options);
  const { details } = runtime;
  const filesystem = details?.filesystem ?? null;
  const database = await readDatabase(context, options);
  const server = await readServer(context, options);
  const history = await readHistory(context, options);
  const times = [
    database?.updatedAt.ok === true && database.updatedAt.value !== null
      ? { what: 'the making of the vulnerability database', at: Date.parse(database.updatedAt.value) }
      : null,
    ...(history?.ok === true ? history.value.runs.slice(0, 1).map(({ startedAt }) => ({ what: 'the last run', at: startedAt })) : []),
  ];
  const check = (id: string, finding: Finding): Check => ({ id, ...finding });
  const temporaryFolder = await readTemporaryFolder(context);
  const historyFolder = await readHistoryFolder(context, options);
  return [
    check('runtime', judgeRuntime(runtime.contact)),
    check('rights', judgeRights({ userId: machine.userId, socket: runtime.socket, historyFolder })),
    check('containerd-services', judgeServices(details?.services ?? null)),
    check('image-filesystem', judgeImageFilesystem(filesystem)),
    check('trivy', judgeTrivy(await readTrivy(context, options, details?.version.name ?? null))),
    ...(server === null ? [] : [check('trivy-server', judgeServer(server))]),
    check('vulnerability-database', judgeDatabase(database)),
    check('java-index', judgeJavaIndex(await readJavaIndex(context, options))),
    check('temporary-folder', judgeTemporaryFolder({ ...temporaryFolder, largestImageBytes: details?.largestImageBytes ?? null })),
    check('memory', judgeMemory(readMemory(context, options))),
    check('history', judgeHistory(history)),
    check('clock', judgeClock({ now: now(), isSynchronised: await readIsSynchronised(context), newest: newestOf(times) })),
    check(
      'kubelet',
      judgeKubelet(await readKubelet(signal), { ...options, filesystem: filesystem?.ok === true ? filesystem.value : null }),
    ),
    check('eraser', judgeEraser(details?.containers ?? null)),
  ];
}

function newestOf(times: readonly ClockFacts['newest'][]): ClockFacts['newest'] {
  return times.reduce((newest, time) => (time !== null && time.at > (newest?.at ?? 0) ? time : newest), null);
}

const COLORS = { ok: 'green', warning: 'yellow', problem: 'red', skipped: 'gray' } as const satisfies Record<CheckStatus, string>;

/** A line for each check: what was found, and what to do. */
function formatChecks(checks: readonly Check[], useColor: boolean): string {
  const rows = checks.map(({ id, status, found, advice }) => [
    useColor ? styleText(COLORS[status], status, { validateStream: false }) : status,
    id,
    printable(advice === null ? found : `${found.replace(/\.$/, '')}. ${advice}`),
  ]);
  return formatTable(['STATUS', 'CHECK', 'FOUND'], rows);
}
