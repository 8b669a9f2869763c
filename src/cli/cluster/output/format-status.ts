import type { SiteProblem } from '../../../cluster/judge-status.ts';
import type { JobFacts } from '../../../cluster/read-jobs.ts';
import type { SiteFacts } from '../../../cluster/read-status.ts';
import { formatDuration } from '../../../platform/duration.ts';
import { formatBytes } from '../../../platform/quantity.ts';
import { countOf } from '../../output/count-of.ts';
import { formatTable } from '../../output/format-table.ts';
import { printable } from '../../output/image-name.ts';
import type { Screen } from '../../output/terminal.ts';
import { entriesInForce } from './describe-status.ts';
import { formatSchedule } from './format-schedule.ts';

interface View {
  readonly now: number;
  readonly screen: Screen;
}

/** As many as fit on a screen beside all else. */
const RUNS_SHOWN = 5;

/** One screen: what is installed, what it does, what it did, and what needs a person. */
export function formatStatus(facts: SiteFacts, problems: readonly SiteProblem[], { now, screen }: View): string {
  const rows: readonly (readonly [string, string])[] = [
    ...managerRows(facts, now),
    ['Automatic runs', formatAutomatic(facts.automatic, now)],
    ['Exclusions', formatExclusions(facts)],
    ...facts.jobs
      .filter(({ endedAt, phase }) => endedAt === null && phase === 'Running')
      .map((job) => ['Under way', formatUnderWay(job, now)] as const),
  ];
  const head = rows.map(([name, value]) => `${`${name}:`.padEnd(16)}${printable(value)}\n`).join('');
  const runs = facts.jobs.length === 0 ? 'No run is on record.\n' : formatJobs(facts.jobs.slice(0, RUNS_SHOWN), now, screen);
  return `${head}\n${runs}\n${formatProblems(problems)}`;
}

function managerRows({ namespace, manager, pods, leader }: SiteFacts, now: number): [string, string][] {
  if (manager === null) return [['Installed', `nothing, in the namespace ${namespace}`]];
  const images = Object.entries(manager.images).map(([name, image]): [string, string] => [`  ${name}`, image]);
  const restarts = (pods?.pods ?? []).reduce((sum, pod) => sum + pod.restarts, 0);
  const ready = `${String(manager.readyReplicas)} of ${String(manager.replicas)} ready${restarts === 0 ? '' : `, ${countOf(restarts, 'restart')}`}`;
  const leads =
    leader === null || leader.pod === '' || leader.hasExpired
      ? 'nobody leads'
      : `${leader.pod} leads, as of ${agoOf(leader.renewedAt, now)}`;
  return [
    ['Installed', `${manager.isOurs ? 'Image Cleaner' : 'Eraser'} in the namespace ${namespace}`],
    ...images,
    ['Manager', manager.isOurs ? `${ready}; ${leads}` : ready],
  ];
}

function formatAutomatic(automatic: SiteFacts['automatic'], now: number): string {
  if (automatic === null) return 'not known';
  if (automatic.kind === 'unreadable') return 'none: the configuration cannot be read';
  const { scheduling, next } = automatic;
  if (scheduling.schedule === null) return 'off (components.collector.enabled)';
  const window =
    scheduling.window === null
      ? ''
      : `, in the window of ${formatDuration(scheduling.window.lengthMs)} from ${formatSchedule(scheduling.window.opens)}`;
  return `on, ${formatSchedule(scheduling.schedule)}${window}; next: ${formatNext(next, now)}`;
}

function formatNext(next: (NonNullable<SiteFacts['automatic']> & { kind: 'known' })['next'], now: number): string {
  switch (next.kind) {
    case 'off':
      return 'none';
    case 'due':
      return 'due now';
    case 'under-way':
      return 'after the one under way';
    case 'waiting':
      if (!Number.isFinite(next.at)) return 'never';
      return `${new Date(next.at).toISOString().slice(0, 19)}Z (in ${formatDuration(wholeSeconds(next.at - now))})`;
  }
}

function formatExclusions(facts: SiteFacts): string {
  if (facts.exclusions === null) return 'not known';
  const { lists, faults } = facts.exclusions;
  const counts = `${countOf(entriesInForce(facts), 'pattern')} in ${countOf(lists.length, 'list')}`;
  return faults.length === 0 ? counts : `${counts}; ${countOf(faults.length, 'configmap')} cannot be read`;
}

function formatUnderWay({ name, mode, startedAt, desired, succeeded, failed, skipped }: JobFacts, now: number): string {
  const done = `${String(succeeded + failed + skipped)} of ${countOf(desired, 'node')} done${failed === 0 ? '' : `, ${String(failed)} failed`}`;
  return `${name} (${mode}), ${done}, began ${agoOf(startedAt, now)}`;
}

const SKIPPED = {
  notReady: 'not ready',
  filtered: 'filtered',
  windows: 'Windows',
  virtual: 'virtual',
  beingDeleted: 'deleted',
  notStarted: 'not started',
  unknownRuntime: 'unknown runtime',
} as const;

export function formatJobs(jobs: readonly JobFacts[], now: number, { columns }: Screen): string {
  const rows = jobs.map((job) => [
    job.name,
    job.mode,
    job.trouble?.condition === 'Stalled' ? 'Stalled' : job.phase,
    `${job.startedAt.slice(0, 19)}Z`,
    formatDuration(wholeSeconds((job.endedAt === null ? now : Date.parse(job.endedAt)) - Date.parse(job.startedAt))),
    String(job.succeeded),
    String(job.failed),
    formatSkipped(job),
    job.removedImages === null ? '-' : String(job.removedImages),
    job.reclaimedBytes === null ? '-' : formatBytes(job.reclaimedBytes),
  ]);
  return formatTable(['RUN', 'MODE', 'PHASE', 'STARTED', 'TOOK', 'NODES', 'FAILED', 'SKIPPED', 'REMOVED', 'FREED'], rows, columns);
}

function formatSkipped({ skipped, skippedByReason }: JobFacts): string {
  const reasons = Object.entries(SKIPPED).flatMap(([key, word]) => {
    const count = skippedByReason[key as keyof typeof SKIPPED] ?? 0;
    return count === 0 ? [] : [`${String(count)} ${word}`];
  });
  return reasons.length === 0 ? String(skipped) : `${String(skipped)} (${reasons.join(', ')})`;
}

function formatProblems(problems: readonly SiteProblem[]): string {
  if (problems.length === 0) return 'Nothing needs a person.\n';
  const lines = problems.map(({ what, next }) => `- ${printable(what)}\n  ${printable(next)}\n`);
  return `${countOf(problems.length, 'thing')} to look after:\n${lines.join('')}`;
}

function agoOf(time: string | null, now: number): string {
  return time === null ? 'never' : `${formatDuration(wholeSeconds(now - Date.parse(time)))} ago`;
}

function wholeSeconds(ms: number): number {
  return Math.round(Math.max(ms, 0) / 1000) * 1000;
}
