import { createHash } from 'node:crypto';
import { resultsRequestSchema, type ResultsAnswer } from '../../api/coordinator/results-call.ts';
import { OneAtATime } from '../one-at-a-time.ts';
import type { ResultSink } from '../ports.ts';
import { answerJson, refuse } from '../refusal.ts';
import { parseBody, type AnswerCall } from './call.ts';

/** The first results of a node in a run count. The same ones again are a repetition; others would rewrite what is on record. */
export function answerResults(sink: ResultSink): AnswerCall {
  const oneAtATime = new OneAtATime();
  return async ({ worker, body, signal }) => {
    const parsed = parseBody(resultsRequestSchema, body);
    if (parsed.kind === 'refused') return parsed;
    const digest = createHash('sha256').update(body).digest('hex');
    return oneAtATime.run(`${worker.job} ${worker.node}`, async () => {
      signal.throwIfAborted();
      const recorded = await sink.recordedDigest({ job: worker.job, node: worker.node }, signal);
      if (recorded === null) {
        await sink.record(worker, parsed.value, digest, signal);
        return answerJson({ recorded: 'now' } satisfies ResultsAnswer);
      }
      if (recorded === digest) return answerJson({ recorded: 'before' } satisfies ResultsAnswer);
      const detail = `Other results of node ${worker.node} in the run ${worker.job} are on record.`;
      return refuse('results-differ', { detail, allowed: 'One set of results for each node and run, as often as need be.' });
    });
  };
}
