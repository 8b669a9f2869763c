import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from './lab-error.ts';

const TIMEOUT_MS = 20_000;
const POLL_MS = 15;

/** Asks again until the answer is yes; throws `not-ready`, saying what was waited for, when it takes too long. */
export async function waitUntil(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await check())) {
    if (Date.now() > deadline) throw new LabError({ code: 'not-ready', message: `Waited ${TIMEOUT_MS / 1000} s in vain: ${what}` });
    await sleep(POLL_MS);
  }
}
