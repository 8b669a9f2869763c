import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 200;

/**
 * Runs the work while no other process of the machine works under the same name. The lock is an abstract unix socket: the kernel lets go
 * of it when its holder dies, so that none is ever left behind.
 */
export async function withMachineLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const address = `\0image-cleaner-${createHash('sha256').update(name).digest('hex')}`;
  let lock = await tryListen(address);
  for (; lock === null; lock = await tryListen(address)) await sleep(POLL_MS);
  try {
    return await work();
  } finally {
    lock.close();
  }
}

async function tryListen(address: string): Promise<Server | null> {
  const server = createServer();
  try {
    await once(server.listen(address), 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null;
    throw error;
  }
}
