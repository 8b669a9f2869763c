import { writeFile } from 'node:fs/promises';
import { errorMessage } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { NodeResult } from './ports.ts';

/** The kubelet keeps as much of it and cuts the rest off, and what was JSON would be none. */
const MOST_BYTES = 4096;

/** The totals of a run, as JSON on one line, so that the pod's status tells what came of the run when nothing else does. */
export function formatTotals({ state, message, mode, startedAt, endedAt, summary }: NodeResult): string {
  const times = { startedAt: new Date(startedAt).toISOString(), endedAt: new Date(endedAt).toISOString() };
  return formatFitting(message, (fitting) => ({ state, message: fitting, mode, ...times, ...summary }));
}

/** Of a program that came to no result. */
export function formatEnd(state: NodeResult['state'], message: string): string {
  return formatFitting(message, (fitting) => ({ state, message: fitting }));
}

function formatFitting(message: string | null, wrap: (message: string | null) => object): string {
  for (let most = MOST_BYTES; ; most = Math.floor(most / 2)) {
    const text = JSON.stringify(wrap(message === null || message.length <= most ? message : `${message.slice(0, most)}…`));
    if (Buffer.byteLength(text) <= MOST_BYTES || most === 0) return text;
  }
}

/** Not to be able to write it changes nothing that was done. */
export async function writeTerminationLog(path: string, text: string, log: Log): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    log.warn('the termination log cannot be written', { path, error: errorMessage(error) });
  }
}
