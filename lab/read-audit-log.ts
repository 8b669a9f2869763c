import { readFile } from 'node:fs/promises';
import * as z from 'zod';

/** A request that an API server has answered. */
export interface AuditedRequest {
  /** `list`, `watch`, `deletecollection`. */
  readonly verb: string;
  readonly username: string;
  /** `pods`, `imagejobs/status`; of what is no object, the path. */
  readonly resource: string;
  /** Empty: of the whole cluster. */
  readonly namespace: string;
}

const eventSchema = z.object({
  verb: z.string(),
  requestURI: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string(), subresource: z.string().optional(), namespace: z.string().default('') }).optional(),
});

const BEGINNING = '{"kind":"Event"';

/** All of the log of an API server, in the order in which they ended; one that is being written is left out. */
export async function readAuditLog(file: string): Promise<AuditedRequest[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => {
    // An API server that was killed may have left a line cut off, which the next one goes on with.
    const { verb, requestURI, user, objectRef } = eventSchema.parse(JSON.parse(line.slice(line.lastIndexOf(BEGINNING))));
    const { resource = requestURI.replace(/\?.*$/s, ''), subresource, namespace = '' } = objectRef ?? {};
    return { verb, username: user.username, resource: subresource === undefined ? resource : `${resource}/${subresource}`, namespace };
  });
}
