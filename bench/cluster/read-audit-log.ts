import { readFile } from 'node:fs/promises';
import * as z from 'zod';

const eventSchema = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string() }).optional(),
});

const MANAGER = /^system:serviceaccount:[^:]+:eraser-controller-manager$/;

/** How many requests the manager has made up to now, but for watches and what concerns its Lease. */
export async function countRequests(auditLog: string): Promise<number> {
  const lines = (await readFile(auditLog, 'utf8')).split('\n').filter((line) => line !== '');
  const events = lines.map((line) => eventSchema.parse(JSON.parse(line)));
  return events.filter(({ verb, user, objectRef }) => MANAGER.test(user.username) && verb !== 'watch' && objectRef?.resource !== 'leases')
    .length;
}
