import type { Condition } from '../api/condition.ts';

export interface Finding {
  readonly type: string;
  /** null: the condition is to be absent. */
  readonly status: 'True' | 'False' | null;
  readonly reason: string;
  readonly message: string;
}

export interface ConditionFrame {
  /** Of the object that it was found of; absent for objects without one. */
  readonly observedGeneration?: number;
  readonly now: number;
}

/** What the API server takes (`metav1.Condition`). */
const LONGEST_MESSAGE = 32_768;

/** The conditions with these findings in them; those of other types stay, and a status that is as before keeps its time. */
export function withFindings(
  before: readonly Condition[],
  findings: readonly Finding[],
  { observedGeneration, now }: ConditionFrame,
): Condition[] {
  const found = new Set(findings.map(({ type }) => type));
  const others = before.filter(({ type }) => !found.has(type));
  const conditions = findings.flatMap(({ type, status, reason, message }): Condition[] => {
    if (status === null) return [];
    const known = before.find((condition) => condition.type === type);
    const lastTransitionTime = known?.status === status ? known.lastTransitionTime : formatTime(now);
    const generation = observedGeneration === undefined ? {} : { observedGeneration };
    return [{ type, status, reason, message: message.slice(0, LONGEST_MESSAGE), lastTransitionTime, ...generation }];
  });
  return [...others, ...conditions];
}

/** To the second, as Kubernetes keeps times. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
