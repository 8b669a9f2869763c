import type { TrivyCall } from '../../api/coordinator/coordinator-api.ts';
import { decodeTrivyCalls, MOST_TRIVY_CALLS, TRIVY_VERSION_HEADER } from '../../api/coordinator/trivy-calls.ts';
import type { TrivyServer, TrivyServerAnswer, TrivyServerCall } from '../ports.ts';
import { refuse, type Answer, type Refusal } from '../refusal.ts';
import type { AnswerCall } from './call.ts';

const VERSION: TrivyServerCall = { method: 'GET', path: 'version', body: Buffer.alloc(0) };
const FORM = `At most ${MOST_TRIVY_CALLS} calls of Trivy's as a client, each with its number and its length.`;

/** What Trivy tells and asks as a client is passed on to its server as it came, and answered as the server answers. */
export function answerTrivyCalls(server: TrivyServer): Readonly<Record<TrivyCall, AnswerCall>> {
  return {
    'trivy/calls': async ({ body, signal }) => {
      const calls = decodeTrivyCalls(body);
      if (calls === null) return refuse('invalid', { detail: 'The body does not have the form of this call.', allowed: FORM });
      let last: TrivyServerAnswer = { kind: 'away', why: 'there was no call' };
      for (const { path, body: asked } of calls) {
        discard(last);
        last = await server.pass({ method: 'POST', path, body: asked }, signal);
        if (last.kind === 'away' || last.status !== 200) return answer(last, {});
      }
      // By which database it was judged: asked once the verdict is there.
      const version = await readVersion(server, signal);
      if (!Buffer.isBuffer(version)) {
        discard(last);
        return answer(version, {});
      }
      return answer(last, { [TRIVY_VERSION_HEADER]: version.toString('base64') });
    },
    'trivy/version': async ({ signal }) => answer(await server.pass(VERSION, signal), {}),
  };
}

/** The page `version`, which is small. */
async function readVersion(server: TrivyServer, signal: AbortSignal): Promise<Buffer | TrivyServerAnswer> {
  const page = await server.pass(VERSION, signal);
  if (page.kind === 'away' || page.status !== 200) return page;
  if (Buffer.isBuffer(page.body)) return page.body;
  discard(page);
  return { kind: 'away', why: 'what it tells of itself is too long' };
}

/** Of an answer that nobody will read. */
function discard(given: TrivyServerAnswer): void {
  if (given.kind === 'answered' && !Buffer.isBuffer(given.body)) given.body.stream.destroy();
}

function answer(given: TrivyServerAnswer, headers: Readonly<Record<string, string>>): Answer | Refusal {
  if (given.kind === 'answered') return { ...given, kind: 'answer', headers };
  const detail = `Trivy's server beside the coordinator does not answer: ${given.why}.`;
  return refuse('trivy-away', { detail, allowed: 'The same call, when it is back.', retryAfterSeconds: 2 });
}
