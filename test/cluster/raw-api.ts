import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import * as z from 'zod';

export interface RawAnswer {
  readonly status: number;
  /** What a Status says, or the object as JSON. */
  readonly text: string;
}

/** An API server asked without any client's help, for input that no client would send. */
export interface RawApi {
  ask(method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<RawAnswer>;
  close(): Promise<void>;
}

const kubeconfigSchema = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.base64() }) })]),
  users: z.tuple([z.object({ user: z.object({ 'client-certificate-data': z.base64(), 'client-key-data': z.base64() }) })]),
});

/** As the administrator of a kubeconfig of the lab. A PATCH is a merge patch. */
export async function connectRaw(kubeconfig: string): Promise<RawApi> {
  const { clusters, users } = kubeconfigSchema.parse(JSON.parse(await readFile(kubeconfig, 'utf8')));
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  const decode = (base64: string): Buffer => Buffer.from(base64, 'base64');
  const dispatcher = new Agent({
    connect: {
      ca: decode(cluster['certificate-authority-data']),
      cert: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
    },
  });
  return {
    ask: async (method, path, body) => {
      const answer = await request(`${cluster.server}${path}`, {
        method,
        dispatcher,
        headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await answer.body.text();
      const status = z.object({ kind: z.literal('Status'), message: z.string() }).safeParse(JSON.parse(text));
      return { status: answer.statusCode, text: status.success ? status.data.message : text };
    },
    close: () => dispatcher.destroy(),
  };
}
