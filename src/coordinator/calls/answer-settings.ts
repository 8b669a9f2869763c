import type { RunSettings } from '../../api/coordinator/settings-call.ts';
import { runEnded } from '../identify-worker.ts';
import type { Runs } from '../ports.ts';
import { answerJson } from '../refusal.ts';
import type { AnswerCall } from './call.ts';

export function answerSettings(runs: Runs): AnswerCall {
  return async ({ worker, signal }) => {
    const settings = await runs.settingsOf(worker.job, signal);
    return settings === null ? runEnded(worker) : answerJson(settings satisfies RunSettings);
  };
}
