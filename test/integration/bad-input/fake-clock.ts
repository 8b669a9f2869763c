import { ensureFakeClock } from '../../../lab/tools.ts';

/**
 * An environment in which time passes faster for the command line, so that deadlines of minutes, which are its own, come in seconds. The
 * runtime and the machine keep their time.
 */
export async function fastClock(times: number): Promise<Record<string, string>> {
  return { ...(await preloaded()), FAKETIME: `+0 x${String(times)}` };
}

/**
 * An environment in which the wall clock is off, by as much as `+1y` or `-1y`, or by what a file says from moment to moment; the clock that
 * runs since the start of the machine is as it was.
 */
export async function steppedClock(offset: string | { readonly file: string }): Promise<Record<string, string>> {
  const step = typeof offset === 'string' ? { FAKETIME: offset } : { FAKETIME_TIMESTAMP_FILE: offset.file, FAKETIME_NO_CACHE: '1' };
  return { ...(await preloaded()), ...step, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

async function preloaded(): Promise<Record<string, string>> {
  return { LD_PRELOAD: await ensureFakeClock(() => undefined) };
}
