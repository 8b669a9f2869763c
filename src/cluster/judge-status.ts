import { IMAGE_LIST_CONDITIONS } from '../api/image-list.ts';
import { MANAGER } from '../installation/make-manifest.ts';
import type { JobFacts } from './read-jobs.ts';
import type { SiteCondition, SiteFacts } from './read-status.ts';

/** Something that needs a person. */
export interface SiteProblem {
  readonly what: string;
  /** A command, or what to look at. */
  readonly next: string;
}

/** In the order in which they are best looked after. Empty: all is as it should be, as far as it can be seen. */
export function judgeStatus(facts: SiteFacts): SiteProblem[] {
  const unread = facts.unread.map((why) => ({
    what: `not all could be read: ${why}`,
    next: 'Ask for that right, or look with an account that has it.',
  }));
  return [...managerProblems(facts), ...conditionProblems(facts), ...jobProblems(facts.jobs), ...unread];
}

function managerProblems({ namespace, manager, pods, leader, automatic, unread }: SiteFacts): SiteProblem[] {
  if (manager === null) {
    return unread.length > 0 ? [] : [{ what: `nothing is installed in the namespace ${namespace}`, next: 'image-cleaner cluster enable' }];
  }
  if (manager.replicas === 0) {
    return [{ what: 'the manager is scaled to zero', next: `kubectl scale -n ${namespace} deployment ${MANAGER} --replicas=1` }];
  }
  const problems: SiteProblem[] = [];
  if (pods !== null && pods.noPod !== null) {
    problems.push({ what: `the manager's pod cannot be made: ${pods.noPod}`, next: `kubectl describe replicaset -n ${namespace}` });
  }
  for (const { name, trouble } of pods?.pods ?? []) {
    if (trouble !== null) problems.push({ what: `the manager's pod ${name} ${trouble.what}`, next: trouble.next });
  }
  if (manager.readyReplicas === 0 && problems.length === 0) {
    problems.push({ what: 'the manager is not ready', next: `kubectl describe pods -n ${namespace} -l control-plane=controller-manager` });
  }
  if (leader?.hasExpired === true && problems.length === 0) {
    const since = leader.renewedAt === null ? '' : ` since ${leader.renewedAt}`;
    problems.push({ what: `no manager leads${since}`, next: `kubectl logs -n ${namespace} deployment/${MANAGER} -c manager` });
  }
  if (automatic?.kind === 'unreadable') {
    problems.push({ what: `there is no configuration to go by: ${automatic.message}`, next: editConfiguration(namespace) });
  }
  return problems;
}

function editConfiguration(namespace: string): string {
  return `kubectl edit configmap -n ${namespace} eraser-manager-config`;
}

function conditionProblems({ namespace, conditions, exclusions }: SiteFacts): SiteProblem[] {
  const broken = exclusions?.faults ?? [];
  const found = conditions.filter(isAmiss).map((condition): SiteProblem | null => {
    const { about, type, message } = condition;
    if (type === 'ConfigurationAccepted') {
      return {
        what: `the configuration is not accepted, and the last good one stays in force: ${message}`,
        next: editConfiguration(namespace),
      };
    }
    // What is wrong now is told below; the manager may not have been there to say so.
    if (type === 'ExclusionsAccepted') return null;
    return { what: `${about} is ${type}: ${message}`, next: `kubectl describe ${about}` };
  });
  const ofExclusions = broken.map(({ configMap, message }) => ({
    what: `the exclusion list ${configMap} cannot be read, so no run begins: ${message}`,
    next: `kubectl edit configmap -n ${namespace} ${configMap}`,
  }));
  return [...found.filter((problem) => problem !== null), ...ofExclusions];
}

/** Whether a condition is not as it should be, and nothing else will put it right. */
export function isAmiss({ type, status }: Pick<SiteCondition, 'type' | 'status'>): boolean {
  if (type === 'ConfigurationAccepted' || type === 'ExclusionsAccepted') return status === 'False';
  const known: Readonly<Record<string, { readonly polarity: string }>> = IMAGE_LIST_CONDITIONS;
  return type === 'Stalled' && known[type]?.polarity === 'abnormal-true' && status === 'True';
}

/** The last of each kind counts: an earlier failure is made up for. A run over late nodes makes up for none over all. */
function jobProblems(jobs: readonly JobFacts[]): SiteProblem[] {
  const whole = jobs.filter(({ lateNodesOf }) => lateNodesOf === null);
  const lastWhole = jobs.findIndex(({ mode, lateNodesOf }) => mode === 'automatic' && lateNodesOf === null);
  const late = jobs.slice(0, lastWhole === -1 ? jobs.length : lastWhole).find(({ lateNodesOf }) => lateNodesOf !== null);
  const last = [...(['automatic', 'manual'] as const).map((mode) => whole.find((job) => job.mode === mode)), late].flatMap(
    (job) => job ?? [],
  );
  return last.flatMap(({ name, mode, trouble }) => {
    if (trouble === null) return [];
    const what =
      trouble.condition === 'Failed'
        ? `the last ${mode} run, ${name}, has failed: ${trouble.message}`
        : `the run ${name} cannot begin: ${trouble.message}`;
    return [{ what, next: trouble.condition === 'Failed' ? `image-cleaner cluster history ${name}` : `kubectl describe imagejob ${name}` }];
  });
}
