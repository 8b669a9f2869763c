import { writeFile } from 'node:fs/promises';
import { errorMessage } from '../platform/errors.ts';
import type { Log } from './log.ts';
import type { NodeResult } from './ports.ts';

/** The kubelet keeps as much of it (4096 bytes), so that the pod's status tells what came of the run when nothing else does. */
const MOST_MESSAGE_CHARACTERS = 1_000;

/** The totals of a run, as JSON on one line. */
export function formatTotals({ state, message, mode, startedAt, endedAt, summary }: NodeResult): string {
  return JSON.stringify({
    state,
    message: message === null ? null : message.slice(0, MOST_MESSAGE_CHARACTERS),
    mode,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(endedAt).toISOString(),
    ...summary,
  });
}

/** Not to be able to write it changes nothing that was done. */
export async function writeTerminationLog(path: string, text: string, log: Log): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    log.warn('the termination log cannot be written', { path, error: errorMessage(error) });
  }
}
