import { CALL_LIMITS, type CoordinatorCall } from '../../api/coordinator/coordinator-api.ts';
import { answerInventory } from './answer-inventory.ts';
import { answerLogs } from './answer-logs.ts';
import { answerPods } from './answer-pods.ts';
import { answerResults } from './answer-results.ts';
import { answerScans } from './answer-scans.ts';
import { answerSettings } from './answer-settings.ts';
import type { AnswerCall } from './call.ts';
import type { CoordinatorLimits } from '../limits.ts';
import { NodePodReads } from '../node-pod-reads.ts';
import type { CoordinatorPorts } from '../ports.ts';
import type { Timing } from '../../platform/timing.ts';
import { ScanLeases } from '../scan-leases.ts';

export function bindCalls(
  ports: CoordinatorPorts,
  { maxPodReads, maxLogBytes, maxJudgements }: CoordinatorLimits,
  { wallNow, timing }: { readonly wallNow: () => number; readonly timing: Timing },
): Readonly<Record<CoordinatorCall, AnswerCall>> {
  const nodePods = new NodePodReads(ports.nodePods, { atOnce: maxPodReads, timeLimitMs: CALL_LIMITS.pods.timeLimitMs });
  return {
    settings: answerSettings(ports.runs),
    inventory: answerInventory(ports.images, wallNow),
    scans: answerScans({ verdicts: ports.verdicts, runs: ports.runs, leases: new ScanLeases(timing), timing, maxJudgements }),
    results: answerResults(ports.results),
    logs: answerLogs(ports.logs, maxLogBytes),
    pods: answerPods(nodePods),
  };
}
