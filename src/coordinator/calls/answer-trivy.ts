import { CALL_LIMITS, TRIVY_CALLS, type TrivyCall } from '../../api/coordinator/coordinator-api.ts';
import type { TrivyServer } from '../ports.ts';
import { refuse } from '../refusal.ts';
import type { AnswerCall } from './call.ts';

/** The calls of Trivy as a client, each passed on to its server as it came, and answered as the server answers. */
export function answerTrivyCalls(server: TrivyServer): Readonly<Record<TrivyCall, AnswerCall>> {
  return Object.fromEntries(TRIVY_CALLS.map((call) => [call, answerTrivy(server, call)])) as Record<TrivyCall, AnswerCall>;
}

function answerTrivy(server: TrivyServer, call: TrivyCall): AnswerCall {
  const { method } = CALL_LIMITS[call];
  const path = call.slice('trivy/'.length);
  return async ({ body, signal }) => {
    const answer = await server.pass({ method, path, body }, signal);
    if (answer.kind === 'away') {
      const detail = `Trivy's server beside the coordinator does not answer: ${answer.why}.`;
      return refuse('trivy-away', { detail, allowed: 'The same call, when it is back.', retryAfterSeconds: 2 });
    }
    return { ...answer, kind: 'answer', headers: {} };
  };
}
