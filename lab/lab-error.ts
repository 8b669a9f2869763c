import { RoomError } from '../src/platform/errors.ts';

/**
 * `not-root`: real parts need root. `tool-missing`: a binary can't be had on this machine. `tool-failed`: a command ended with an error.
 * `not-ready`: a part that was started doesn't answer in time. `bad-image`: an image specification that can't be built.
 */
export type LabErrorCode = 'not-root' | 'tool-missing' | 'tool-failed' | 'not-ready' | 'bad-image';

/** Something is in the way that a person can do something about; the message is fit to be shown as it is. */
export class LabError extends RoomError<LabErrorCode> {}

/** Throws unless this process is root: a container runtime mounts filesystems and makes control groups. */
export function requireRoot(purpose: string, reason = 'it starts a container runtime of its own'): void {
  if (process.getuid?.() === 0) return;
  throw new LabError({ code: 'not-root', message: `${purpose} needs root, since ${reason}: run the same command with sudo.` });
}
