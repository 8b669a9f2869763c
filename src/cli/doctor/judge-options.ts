import type { FilesystemUsage, NodeImage } from '../../api/inventory.ts';
import type { ScanPolicy } from '../../api/scan-policy.ts';
import { planDiskThresholds, type DiskThresholds } from '../../core/disk-pressure.ts';
import type { Exclusions } from '../../core/exclusions/exclusions.ts';
import type { ImageList } from '../../core/image-list.ts';
import { planNextRun, type Schedule } from '../../core/schedule.ts';
import { expiredIgnores } from '../../core/verdict.ts';
import { formatDuration } from '../../platform/duration.ts';
import { formatBytes } from '../../platform/quantity.ts';
import type { ImageHistory } from '../../store/history.ts';
import { matchesAny, readDiskLimits } from '../make-plan.ts';
import { countOf } from '../output/count-of.ts';
import type { AgeOptions } from '../parsed-options.ts';
import { NO_HINT, type Attempt } from './attempt.ts';
import { ok, problem, skipped, warning, type Finding } from './check.ts';

/** What the options of `clean` name, each checked where it is given. `images`: those of the node; null: they are not known. */

type Fault = Extract<Attempt<unknown>, { readonly ok: false }>;

/** What `clean` refuses to begin with. */
function refused({ message, hint }: Fault): Finding {
  return problem(message, `${hint === NO_HINT ? 'Correct it.' : hint} Until then nothing is removed.`);
}

export function judgeConfiguration(file: string, configuration: Attempt<readonly string[]>): Finding {
  if (!configuration.ok) return refused(configuration);
  const warnings = configuration.value;
  if (warnings.length === 0) return ok(`${file} can be used; options of the command line win over it`);
  return warning(warnings.join('; '), 'Take out of the file what has no effect, or do not count on it.');
}

/** `typed`: those of the command line, where one that matches nothing is likely a mistake; a file's are for many machines. */
export function judgeExclusions(exclusions: Attempt<Exclusions>, typed: readonly string[], images: readonly NodeImage[] | null): Finding {
  if (!exclusions.ok) return refused(exclusions);
  if (images === null) return ok('They can be used; what they keep needs the container runtime');
  const kept = images.filter((image) => exclusions.value.match(image) !== null).length;
  const found = `They keep ${String(kept)} of ${countOf(images.length, 'image')} on this node`;
  const idle = typed.filter((entry) => !matchesAny(entry, images));
  if (idle.length === 0) return ok(found);
  return warning(
    `${found}; none matches ${idle.map((entry) => `--exclude ${entry}`).join(', ')}`,
    'See the names with `image-cleaner list`.',
  );
}

export function judgeImageList(list: Attempt<ImageList | null>, images: readonly NodeImage[] | null): Finding {
  if (!list.ok) return refused(list);
  if (images === null || list.value === null) return ok('It can be used; what it names needs the container runtime');
  const named = images.filter((image) => list.value?.match(image) !== null).length;
  const absent = list.value.unmatchedEntries(images);
  const found = `It names ${countOf(named, 'image')} on this node`;
  if (absent.length === 0) return ok(found);
  return warning(`${found}, and not there: ${absent.join(', ')}`, 'See the names with `image-cleaner list`.');
}

export function judgeIgnorefile(policy: Attempt<ScanPolicy>, now: number): Finding {
  if (!policy.ok) return refused(policy);
  const found = `It leaves out ${String(policy.value.ignoredVulnerabilities.length)} vulnerabilities`;
  const expired = expiredIgnores(policy.value, now);
  if (expired.length === 0) return ok(found);
  return warning(
    `${found}, but no longer ${expired.join(', ')}: the expiry has passed`,
    'Take them out of the file, or give them a later expired_at.',
  );
}

/** `lastRunStartedAt`: of a run of its kind; null: none is known of. */
export function judgeSchedule(
  schedule: Attempt<Schedule | null>,
  { lastRunStartedAt, now }: { readonly lastRunStartedAt: number | null; readonly now: number },
): Finding {
  if (!schedule.ok) return refused(schedule);
  if (schedule.value === null) return ok('One run, at once');
  const at = planNextRun({ schedule: schedule.value, lastRunStartedAt, now });
  return ok(at <= now ? 'The first run is due at once' : `The first run is due at ${new Date(at).toISOString().slice(0, 19)}Z`);
}

/** null: the runtime does not answer. */
export function judgeDiskLimits(
  limits: Pick<AgeOptions, 'diskHigh' | 'diskLow'>,
  filesystem: Attempt<FilesystemUsage | null> | null,
): Finding {
  const given = readDiskLimits(limits);
  if (filesystem?.ok !== true || given === null) return skipped('Needs the container runtime');
  if (filesystem.value === null) {
    return problem(
      'The filesystem of the images cannot be read from here: runs with --disk-high are refused',
      'Run on the node itself, where the folder of the images can be seen, or leave --disk-high out.',
    );
  }
  const { mountpoint, capacityBytes } = filesystem.value;
  const { usedBytes, highBytes, lowBytes } = planDiskThresholds(given, filesystem.value);
  if (highBytes >= capacityBytes) {
    return warning(
      `--disk-high ${limits.diskHigh?.given ?? ''} is not less than all of ${mountpoint} (${formatBytes(capacityBytes)}): nothing ever goes for want of space`,
      'Lower --disk-high.',
    );
  }
  const found = describeThresholds({ usedBytes, highBytes, lowBytes }, mountpoint);
  const wantedLow = planDiskThresholds({ high: given.low, low: given.low }, filesystem.value).highBytes;
  if (wantedLow <= highBytes) return ok(found);
  return warning(
    `${found}; --disk-low ${limits.diskLow?.given ?? ''} is ${formatBytes(wantedLow)} here, above the high limit, and has no effect`,
    'Lower --disk-low.',
  );
}

function describeThresholds({ usedBytes, highBytes, lowBytes }: DiskThresholds, mountpoint: string): string {
  const limits = `Above ${formatBytes(highBytes)} in use on ${mountpoint} images go, down to ${formatBytes(lowBytes)}; now ${formatBytes(usedBytes)} are in use`;
  return usedBytes > highBytes ? `${limits}: the next run would free ${formatBytes(usedBytes - lowBytes)}, if it can` : limits;
}

/** null: the history, or the images, cannot be read. */
export function judgeAges(
  histories: ReadonlyMap<string, ImageHistory> | null,
  { images, now }: { readonly images: readonly NodeImage[] | null; readonly now: number },
): Finding {
  if (histories === null || images === null) return skipped('Needs the history and the container runtime');
  const oldest = Math.min(...[...histories.values()].map(({ firstSeenAt }) => firstSeenAt));
  const known = `The history knows ${String(histories.size)} of ${countOf(images.length, 'image')}`;
  if (histories.size === 0) return ok(`${known}: all ages begin with the next run`);
  return ok(`${known}, the first of them for ${formatDuration(wholeMinutes(now - oldest))}`);
}

function wholeMinutes(ms: number): number {
  return Math.floor(Math.max(ms, 0) / 60_000) * 60_000;
}
