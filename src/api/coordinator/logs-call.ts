import * as z from 'zod';

/**
 * `POST /v1/runs/{job}/nodes/{node}/logs`: what a container of the worker pod logs, in pieces that are numbered 0, 1, 2 … A piece that is sent again
 * is acknowledged and not kept twice; one that leaves a gap is refused.
 */

/** Our own containers. Those of a custom scanner have no way to the coordinator. */
export const LOGGING_CONTAINERS = ['collector', 'trivy-scanner', 'remover'] as const;

/** In characters. */
export const LONGEST_LOG_LINE = 16 * 1024;
export const MOST_LOG_LINES = 1_000;

export const logsRequestSchema = z.object({
  container: z.enum(LOGGING_CONTAINERS),
  sequence: z.int().nonnegative(),
  lines: z.array(z.string().max(LONGEST_LOG_LINE)).max(MOST_LOG_LINES),
});
export type LogPiece = z.output<typeof logsRequestSchema>;

export const logsAnswerSchema = z.object({
  /** What the next piece has to be numbered. */
  nextSequence: z.int().nonnegative(),
  /** The container has logged all that is kept of one: pieces are acknowledged, and let go of. */
  isFull: z.boolean(),
});
export type LogsAnswer = z.output<typeof logsAnswerSchema>;
