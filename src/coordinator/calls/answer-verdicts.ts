import { CALL_LIMITS } from '../../api/coordinator/coordinator-api.ts';
import { verdictsRequestSchema } from '../../api/coordinator/verdicts-call.ts';
import type { ImageKnowledge } from '../ports.ts';
import type { Answer } from '../refusal.ts';
import { parseBody, type AnswerCall } from './call.ts';

/** A report can have a megabyte, so they are read a few at a time, until the answer is full. */
const READ_AT_ONCE = 20;
/** For the ids that are left, which the request held already, and what is around them. */
const AROUND_BYTES = CALL_LIMITS.verdicts.maxRequestBytes + 1024;

/** `mostBytes`: of the verdicts in an answer. */
export function answerVerdicts(images: ImageKnowledge, mostBytes = CALL_LIMITS.verdicts.maxAnswerBytes - AROUND_BYTES): AnswerCall {
  return async ({ worker, body, signal }) => {
    const parsed = parseBody(verdictsRequestSchema, body);
    if (parsed.kind === 'refused') return parsed;
    const { imageIds } = parsed.value;
    const verdicts: string[] = [];
    let size = 0;
    for (let from = 0; from < imageIds.length; from += READ_AT_ONCE) {
      const asked = imageIds.slice(from, from + READ_AT_ONCE);
      const known = await images.readVerdicts(worker, asked, signal);
      for (const [at, imageId] of asked.entries()) {
        const result = known.get(imageId);
        const verdict = result === undefined ? '' : JSON.stringify({ imageId, result });
        const length = Buffer.byteLength(verdict) + 1;
        // One that no answer holds is not known to the worker: its image stays.
        if (verdict === '' || length > mostBytes) continue;
        if (size + length > mostBytes) return answer(verdicts, imageIds.slice(from + at));
        size += length;
        verdicts.push(verdict);
      }
    }
    return answer(verdicts, []);
  };
}

/** The verdicts are JSON already, since their length had to be known. */
function answer(verdicts: readonly string[], rest: readonly string[]): Answer {
  const body = Buffer.from(`{"verdicts":[${verdicts.join(',')}],"rest":${JSON.stringify(rest)}}`);
  return { kind: 'answer', status: 200, type: 'application/json', body, headers: {} };
}
