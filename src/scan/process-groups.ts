/** The process groups that this process has to end before it ends itself, however it ends, by the number of their leaders. */
const owned = new Set<number>();

/** From now on the group is killed when this process exits, also where nobody waits for its end any more. */
export function ownGroup(leader: number): void {
  if (owned.size === 0) process.on('exit', killOwned);
  owned.add(leader);
}

/** The leader has ended and the group was killed: its number is not ours any more. */
export function releaseGroup(leader: number): void {
  if (owned.delete(leader) && owned.size === 0) process.off('exit', killOwned);
}

/** A group that has ended already is none to complain about (EPERM: its number is another user's by now). */
export function signalGroup(leader: number, name: NodeJS.Signals): void {
  try {
    process.kill(-leader, name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

function killOwned(): void {
  for (const leader of owned) signalGroup(leader, 'SIGKILL');
}
