import { logsRequestSchema, type LogPiece, type LogsAnswer } from '../../api/coordinator/logs-call.ts';
import { OneAtATime } from '../one-at-a-time.ts';
import type { LogSink, Worker } from '../ports.ts';
import { answerJson, refuse, type Answer, type Refusal } from '../refusal.ts';
import { parseBody, type AnswerCall } from './call.ts';

/** Pieces of each container's log are kept in order, each once, up to `maxBytes`. */
export function answerLogs(sink: LogSink, maxBytes: number): AnswerCall {
  const oneAtATime = new OneAtATime();
  return async ({ worker, body, signal }) => {
    const parsed = parseBody(logsRequestSchema, body);
    if (parsed.kind === 'refused') return parsed;
    return oneAtATime.run(`${worker.podUid} ${parsed.value.container}`, () =>
      keepPiece({ sink, maxBytes, worker, piece: parsed.value, signal }),
    );
  };
}

interface KeepPiece {
  readonly sink: LogSink;
  readonly maxBytes: number;
  readonly worker: Worker;
  readonly piece: LogPiece;
  readonly signal: AbortSignal;
}

async function keepPiece({ sink, maxBytes, worker, piece, signal }: KeepPiece): Promise<Answer | Refusal> {
  signal.throwIfAborted();
  const { pieces, bytes } = await sink.position(worker, piece.container, signal);
  const next = piece.sequence + 1;
  if (bytes >= maxBytes) return answerJson({ nextSequence: next, isFull: true } satisfies LogsAnswer);
  if (piece.sequence < pieces) return answerJson({ nextSequence: pieces, isFull: false } satisfies LogsAnswer);
  if (piece.sequence > pieces) {
    const detail = `Pieces of the log of ${piece.container} before number ${piece.sequence} are missing.`;
    return refuse('log-gap', { detail, allowed: `Piece ${pieces} next.` });
  }
  await sink.append(worker, piece, signal);
  return answerJson({ nextSequence: next, isFull: false } satisfies LogsAnswer);
}
