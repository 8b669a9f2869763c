import { isAmiss, type SiteProblem } from '../../../cluster/judge-status.ts';
import type { SiteFacts } from '../../../cluster/read-status.ts';
import { formatSchedule } from './format-schedule.ts';

/** What `cluster status -o json` prints. Times are ISO 8601 in UTC. Fields are added, never renamed. */
export function describeStatus(facts: SiteFacts, problems: readonly SiteProblem[]): Readonly<Record<string, unknown>> {
  const { namespace, manager, pods, leader, jobs, conditions, exclusions, unread } = facts;
  return {
    namespace,
    healthy: problems.length === 0,
    problems,
    manager:
      manager === null
        ? null
        : {
            isEraser: !manager.isOurs,
            images: manager.images,
            replicas: manager.replicas,
            readyReplicas: manager.readyReplicas,
            pods: pods?.pods ?? [],
          },
    leader,
    automatic: describeAutomatic(facts.automatic),
    runs: jobs,
    conditions: conditions.filter(isAmiss),
    exclusions: exclusions === null ? null : { lists: exclusions.lists.length, entries: entriesInForce(facts), faults: exclusions.faults },
    unread,
  };
}

export function entriesInForce({ exclusions }: Pick<SiteFacts, 'exclusions'>): number {
  return exclusions?.lists.reduce((sum, { entries }) => sum + entries.length, 0) ?? 0;
}

function describeAutomatic(automatic: SiteFacts['automatic']): Readonly<Record<string, unknown>> | null {
  if (automatic === null) return null;
  if (automatic.kind === 'unreadable') return { enabled: null, message: automatic.message };
  const { scheduling, next } = automatic;
  return {
    enabled: scheduling.schedule !== null,
    schedule: scheduling.schedule === null ? null : formatSchedule(scheduling.schedule),
    maintenanceWindow:
      scheduling.window === null ? null : { opens: formatSchedule(scheduling.window.opens), lengthMs: scheduling.window.lengthMs },
    next: next.kind,
    nextRunAt: next.kind === 'waiting' && Number.isFinite(next.at) ? new Date(next.at).toISOString() : null,
  };
}
