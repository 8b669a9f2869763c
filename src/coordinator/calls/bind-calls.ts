import { CALL_LIMITS, type CoordinatorCall } from '../../api/coordinator/coordinator-api.ts';
import { answerInventory } from './answer-inventory.ts';
import { answerLogs } from './answer-logs.ts';
import { answerPods } from './answer-pods.ts';
import { answerKnownReports, answerReports } from './answer-reports.ts';
import { answerResults } from './answer-results.ts';
import { answerSettings } from './answer-settings.ts';
import { answerTrivyCalls } from './answer-trivy.ts';
import type { AnswerCall } from './call.ts';
import type { CoordinatorLimits } from '../limits.ts';
import { NodePodReads } from '../node-pod-reads.ts';
import type { CoordinatorPorts } from '../ports.ts';

export function bindCalls(
  ports: CoordinatorPorts,
  { maxPodReads, maxLogBytes }: CoordinatorLimits,
  wallNow: () => number,
): Readonly<Record<CoordinatorCall, AnswerCall>> {
  const nodePods = new NodePodReads(ports.nodePods, { atOnce: maxPodReads, timeLimitMs: CALL_LIMITS.pods.timeLimitMs });
  return {
    settings: answerSettings(ports.runs),
    inventory: answerInventory(ports.images, wallNow),
    'known-reports': answerKnownReports(ports.images),
    reports: answerReports(ports.images),
    results: answerResults(ports.results),
    logs: answerLogs(ports.logs, maxLogBytes),
    pods: answerPods(nodePods),
    ...answerTrivyCalls(ports.trivy),
  };
}
