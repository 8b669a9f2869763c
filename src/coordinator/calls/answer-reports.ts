import { CALL_LIMITS } from '../../api/coordinator/coordinator-api.ts';
import { knownReportsRequestSchema, reportsRequestSchema, type ReportsAnswer } from '../../api/coordinator/reports-call.ts';
import type { ImageKnowledge } from '../ports.ts';
import { answerJson, type Answer } from '../refusal.ts';
import { parseBody, type AnswerCall } from './call.ts';

/** A report can have a megabyte, so they are read a few at a time, until the answer is full. */
const READ_AT_ONCE = 20;
/** For the ids that are left, which the request held already, and what is around them. */
const AROUND_BYTES = CALL_LIMITS['known-reports'].maxRequestBytes + 1024;

/** `mostBytes`: of the reports in an answer. */
export function answerKnownReports(
  images: ImageKnowledge,
  mostBytes = CALL_LIMITS['known-reports'].maxAnswerBytes - AROUND_BYTES,
): AnswerCall {
  return async ({ body, signal }) => {
    const parsed = parseBody(knownReportsRequestSchema, body);
    if (parsed.kind === 'refused') return parsed;
    const { scanner, imageIds } = parsed.value;
    const found: string[] = [];
    let size = 0;
    for (let from = 0; from < imageIds.length; from += READ_AT_ONCE) {
      const asked = imageIds.slice(from, from + READ_AT_ONCE);
      const known = await images.readReports({ imageIds: asked, scanner }, signal);
      for (const [at, imageId] of asked.entries()) {
        const report = known.get(imageId);
        const text = report === undefined ? '' : JSON.stringify({ imageId, report });
        const length = Buffer.byteLength(text) + 1;
        // One that no answer holds is not known to the worker: its image is scanned, or stays.
        if (text === '' || length > mostBytes) continue;
        if (size + length > mostBytes) return answer(found, imageIds.slice(from + at));
        size += length;
        found.push(text);
      }
    }
    return answer(found, []);
  };
}

/** The reports are JSON already, since their length had to be known. */
function answer(found: readonly string[], rest: readonly string[]): Answer {
  const body = Buffer.from(`{"known":[${found.join(',')}],"rest":${JSON.stringify(rest)}}`);
  return { kind: 'answer', status: 200, type: 'application/json', body, headers: {} };
}

export function answerReports(images: ImageKnowledge): AnswerCall {
  return async ({ worker, body, signal }) => {
    const parsed = parseBody(reportsRequestSchema, body);
    if (parsed.kind === 'refused') return parsed;
    const { reports } = parsed.value;
    await images.keepReports(worker, reports, signal);
    return answerJson({ kept: reports.length } satisfies ReportsAnswer);
  };
}
