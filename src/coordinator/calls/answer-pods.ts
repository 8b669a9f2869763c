import type { PodsAnswer } from '../../api/coordinator/pods-call.ts';
import type { NodePods } from '../ports.ts';
import { answerJson } from '../refusal.ts';
import { copyPod } from './answer-settings.ts';
import type { AnswerCall } from './call.ts';

export function answerPods(nodePods: NodePods): AnswerCall {
  return async ({ worker: { node }, signal }) => {
    const pods = await nodePods.list(node, signal);
    return answerJson({ node, pods: pods.map(copyPod) } satisfies PodsAnswer);
  };
}
