import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

/** A limit for what hangs, no measure: the machine may be busy with other work. */
const TIMEOUT_MS = 60_000;
const POLL_MS = 15;

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly pollMs?: number;
}

/** Asks again until the answer is yes; throws `not-ready`, saying what was waited for, when it takes too long. */
export async function waitUntil(what: string, check: () => Promise<boolean>, options: WaitOptions = {}): Promise<void> {
  const { timeoutMs = TIMEOUT_MS, pollMs = POLL_MS } = options;
  const deadline = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new LabError({ code: 'not-ready', message: `Waited ${timeoutMs / 1000} s in vain: ${what}` });
    await sleep(pollMs);
  }
}
