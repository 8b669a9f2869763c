import type { SettingsAnswer } from '../../api/coordinator/settings-call.ts';
import { runEnded } from '../identify-worker.ts';
import type { NodePods, Runs } from '../ports.ts';
import { answerJson } from '../refusal.ts';
import type { AnswerCall } from './call.ts';

export function answerSettings(runs: Runs, nodePods: NodePods): AnswerCall {
  return async ({ worker, signal }) => {
    const settings = await runs.settingsOf(worker.job, signal);
    if (settings === null) return runEnded(worker);
    const pods = await nodePods.list(worker.node, signal);
    return answerJson({ ...settings, pods: pods.map(copyPod) } satisfies SettingsAnswer);
  };
}

export function copyPod({
  namespace,
  name,
  imageReferences,
}: Awaited<ReturnType<NodePods['list']>>[number]): SettingsAnswer['pods'][number] {
  return { namespace, name, imageReferences: [...imageReferences] };
}
