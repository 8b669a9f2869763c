import { join } from 'node:path';
import { Agent, request } from 'undici';
import * as z from 'zod';
import type { ControlPlane } from './control-plane.ts';

const rangeSchema = z.object({ header: z.object({ revision: z.string() }) });

/** Throws away all that etcd knows of the past, as it does by itself every five minutes. */
export async function compactEtcd({ place }: Pick<ControlPlane, 'place'>): Promise<void> {
  const dispatcher = new Agent({ connect: { socketPath: join(place.state, 'etcd.sock') } });
  const call = async (path: string, body: object): Promise<unknown> => {
    const answer = await request(`http://localhost/v3/kv/${path}`, { method: 'POST', dispatcher, body: JSON.stringify(body) });
    if (answer.statusCode !== 200) throw new Error(`etcd answers ${String(answer.statusCode)}: ${await answer.body.text()}`);
    return answer.body.json();
  };
  try {
    const { header } = rangeSchema.parse(await call('range', { key: Buffer.from('a').toString('base64'), limit: '1' }));
    await call('compaction', { revision: header.revision, physical: true });
  } finally {
    await dispatcher.close();
  }
}
