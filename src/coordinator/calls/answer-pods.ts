import type { PodsAnswer } from '../../api/coordinator/pods-call.ts';
import type { NodePods } from '../ports.ts';
import { answerJson } from '../refusal.ts';
import type { AnswerCall } from './call.ts';

export function answerPods(nodePods: NodePods): AnswerCall {
  return async ({ worker: { node }, signal }) => {
    const listed = await nodePods.list(node, signal);
    const pods = listed.map(({ namespace, name, imageReferences }) => ({ namespace, name, imageReferences: [...imageReferences] }));
    return answerJson({ node, pods } satisfies PodsAnswer);
  };
}
