import { endpointOf, findSocket } from '../bind-runtime.ts';
import { lastRunStartedAt } from '../commands/clean-on-schedule.ts';
import type { CliContext } from '../context.ts';
import { readImageList } from '../make-plan.ts';
import type { DoctorOptions } from '../parsed-options.ts';
import { readExclusions } from '../read-exclusions.ts';
import { readScanPolicy } from '../read-scan-policy.ts';
import { readSchedule } from '../read-schedule.ts';
import { attempt, type Attempt } from './attempt.ts';
import { checkOf, type Check, type Finding } from './check.ts';
import { judgeAuditLog } from './judge-audit-log.ts';
import type { HistoryFacts } from './judge-history.ts';
import {
  judgeAges,
  judgeConfiguration,
  judgeDiskLimits,
  judgeExclusions,
  judgeIgnorefile,
  judgeImageList,
  judgeSchedule,
} from './judge-options.ts';
import { readAges } from './read-history.ts';
import { readAuditLog } from './read-audit-log.ts';
import type { RuntimeFacts } from './read-runtime.ts';

export interface OptionSurroundings {
  readonly runtime: RuntimeFacts;
  readonly history: Attempt<HistoryFacts> | null;
}

/** A line for each option of `clean` that names something, where it is given. Throws only the reason of the signal. */
export async function checkOptions(context: CliContext, options: DoctorOptions, around: OptionSurroundings): Promise<Check[]> {
  const { signal, now } = context;
  const images = around.runtime.details?.images ?? null;
  const runs = around.history?.ok === true ? around.history.value.runs : [];
  const { config, exclude, excludeFile, image, ignorefile, diskHigh, minAge, maxAge, auditLog } = options;
  const checks: Check[] = [];
  const check = (id: string, finding: Finding): unknown => checks.push(checkOf(id, finding));
  if (config !== undefined) check('configuration', judgeConfiguration(config, await configurationOf(options, signal)));
  if (exclude.length > 0 || excludeFile.length > 0) {
    check('exclusions', judgeExclusions(await attempt(signal, () => readExclusions(options)), exclude, images));
  }
  if (image.length > 0) check('image-list', judgeImageList(await attemptNow(signal, () => readImageList(image)), images));
  if (ignorefile !== undefined) check('ignorefile', judgeIgnorefile(await attempt(signal, () => readScanPolicy(options)), now()));
  if (diskHigh !== undefined) check('disk-limits', judgeDiskLimits(options, around.runtime.details?.filesystem ?? null));
  if (minAge > 0 || maxAge !== undefined) check('ages', await checkAges(context, options, around.runtime));
  if (isScheduled(options)) {
    const schedule = await attemptNow(signal, () => readSchedule(options));
    check('schedule', judgeSchedule(schedule, { lastRunStartedAt: lastRunStartedAt(runs, options), now: now() }));
  }
  if (auditLog !== undefined) check('audit-log', judgeAuditLog(auditLog, await readAuditLog(auditLog, signal)));
  return checks;
}

function isScheduled({ schedule, timeZone, beginImmediately }: DoctorOptions): boolean {
  return schedule !== undefined || timeZone !== undefined || beginImmediately !== undefined;
}

function configurationOf({ configFault, configWarnings = [] }: DoctorOptions, signal: AbortSignal): Promise<Attempt<readonly string[]>> {
  return attempt(signal, () => (configFault === undefined ? Promise.resolve(configWarnings) : Promise.reject(configFault)));
}

function attemptNow<T>(signal: AbortSignal, work: () => T): Promise<Attempt<T>> {
  return attempt(signal, async () => Promise.resolve(work()));
}

async function checkAges(context: CliContext, options: DoctorOptions, { details }: RuntimeFacts): Promise<Finding> {
  const images = details?.images ?? null;
  const asked = { images, now: context.now() };
  if (images === null) return judgeAges(null, asked);
  const endpoint = endpointOf(await findSocket(context, options));
  return judgeAges(await readAges(context, options, { endpoint, imageIds: images.map(({ id }) => id) }), asked);
}
