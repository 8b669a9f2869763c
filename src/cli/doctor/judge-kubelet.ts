import type { FilesystemUsage } from '../../api/inventory.ts';
import type { DiskLimit } from '../../core/disk-pressure.ts';
import { formatDuration } from '../../platform/duration.ts';
import type { Attempt } from './attempt.ts';
import { ok, skipped, warning, type Finding } from './check.ts';
import { usedPercent } from './judge-runtime.ts';
import type { KubeletSettings } from './kubelet-settings.ts';

export interface KubeletFacts {
  /** `kubelet (process 812), /var/lib/kubelet/config.yaml`. */
  readonly source: string;
  readonly settings: KubeletSettings;
}

/** What the runs here are to go by. */
export interface OwnLimits {
  readonly minAge: number;
  readonly maxAge?: number;
  readonly diskHigh?: DiskLimit;
  /** null: unknown. */
  readonly filesystem: FilesystemUsage | null;
}

/** Whether the kubelet removes images before the runs here would, or those that they are to keep. */
export function judgeKubelet(kubelet: Attempt<KubeletFacts | null>, ours: OwnLimits): Finding {
  if (!kubelet.ok) return skipped(`Its configuration cannot be read: ${kubelet.message}`);
  if (kubelet.value === null) return skipped('No kubelet runs here, and none of its usual configuration files is there');
  const { source, settings } = kubelet.value;
  const { highPercent, lowPercent, minimumAgeMs, maximumAgeMs, unset } = settings;
  const [high, low] = [`${String(highPercent)} %`, `${String(lowPercent)} %`];
  const ages = `images older than ${formatDuration(minimumAgeMs)}${maximumAgeMs > 0 ? `, and at any time what is unused for ${formatDuration(maximumAgeMs)}` : ''}`;
  const defaults = unset.length === 0 ? '' : `; by default: ${unset.join(', ')}`;
  const found = `${source}: above ${high} it removes down to ${low}, ${ages}${defaults}`;
  const conflict = findConflict(settings, ours);
  return conflict === null ? ok(found) : warning(`${found}. ${conflict.because}`, conflict.advice);
}

interface Conflict {
  readonly because: string;
  readonly advice: string;
}

function findConflict(
  { highPercent, maximumAgeMs }: KubeletSettings,
  { minAge, maxAge, diskHigh, filesystem }: OwnLimits,
): Conflict | null {
  const raise = 'Raise imageGCHighThresholdPercent of the kubelet';
  if (highPercent < 100 && filesystem !== null && usedPercent(filesystem) >= highPercent) {
    const because = `The image filesystem is ${usedPercent(filesystem).toFixed(1)} % full: the kubelet removes images now, without a scan or a record`;
    return { because, advice: `Clean up before it comes to that. ${raise}, or give the filesystem more space.` };
  }
  const ourHigh = diskHigh === undefined ? null : percentOf(diskHigh, filesystem);
  if (ourHigh !== null && ourHigh >= highPercent) {
    const because = `--disk-high is ${ourHigh.toFixed(0)} %: the kubelet removes images first`;
    return { because, advice: `Lower --disk-high below ${String(highPercent)}%. Or: ${raise}.` };
  }
  if (maximumAgeMs > 0 && (maxAge === undefined || maximumAgeMs < maxAge || maximumAgeMs < minAge)) {
    const own = maxAge === undefined ? 'no age limit is set here' : `--max-age is ${formatDuration(maxAge)}`;
    const because = `It removes what is unused for ${formatDuration(maximumAgeMs)}, whatever is excluded here; ${own}`;
    return { because, advice: 'Unset imageMaximumGCAge of the kubelet, so that only the rules here decide on age.' };
  }
  return null;
}

function percentOf({ unit, value }: DiskLimit, filesystem: FilesystemUsage | null): number | null {
  if (unit === 'percent') return value;
  return filesystem === null || filesystem.capacityBytes === 0 ? null : (value / filesystem.capacityBytes) * 100;
}
