import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';

/** What comes in the place of an answer. */
export type HttpFault =
  | { readonly kind: 'answer'; readonly statusCode: number; readonly headers?: Readonly<Record<string, string>>; readonly body: string }
  /** The request is taken, and nothing comes. */
  | { readonly kind: 'silence' };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** Milliseconds, as of `performance.now()`. */
  readonly at: number;
}

export interface HttpGate {
  readonly port: number;
  /** All that were ever asked, in order. */
  readonly seen: readonly SeenRequest[];
  /** From now on, for requests of paths that it is not spared: also what is under way ends, or falls silent. null: none. */
  readonly fail: (fault: HttpFault | null, isSpared?: (path: string) => boolean) => void;
  readonly close: () => void;
}

const kubeconfigSchema = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.base64() }) })]),
});

/** A way to the API server of a kubeconfig, over plain HTTP, on which single requests can go wrong. Who asks shows a token. */
export async function startHttpGate(kubeconfig: string): Promise<HttpGate> {
  const [{ cluster }] = kubeconfigSchema.parse(JSON.parse(await readFile(kubeconfig, 'utf8'))).clusters;
  const { hostname, port } = new URL(cluster.server);
  const agent = new Agent({ ca: Buffer.from(cluster['certificate-authority-data'], 'base64'), keepAlive: true });
  const seen: SeenRequest[] = [];
  const underWay = new Map<ServerResponse, { readonly path: string; silence: () => void }>();
  let fault: HttpFault | null = null;
  let isSpared: (path: string) => boolean = () => false;

  const forward = (near: IncomingMessage, answer: ServerResponse): void => {
    const path = near.url ?? '';
    const options: RequestOptions = {
      hostname,
      port,
      agent,
      method: near.method,
      path,
      headers: { ...near.headers, host: `${hostname}:${port}` },
    };
    const far = request(options, (there) => {
      if (!underWay.has(answer)) return there.destroy();
      answer.writeHead(there.statusCode ?? 502, there.headers);
      there.pipe(answer);
      there.on('error', () => answer.destroy());
      underWay.set(answer, { path, silence: () => there.unpipe(answer).resume() });
      return undefined;
    });
    underWay.set(answer, { path, silence: () => underWay.delete(answer) });
    answer.on('close', () => {
      underWay.delete(answer);
      far.destroy();
    });
    far.on('error', () => answer.destroy());
    near.pipe(far);
  };
  const server = createServer((near, answer) => {
    const path = near.url ?? '';
    seen.push({ method: near.method ?? '', path, at: performance.now() });
    if (fault === null || isSpared(path)) {
      forward(near, answer);
      return;
    }
    near.resume();
    if (fault.kind === 'answer') answer.writeHead(fault.statusCode, fault.headers).end(fault.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    fail: (next, spared = () => false) => {
      fault = next;
      isSpared = spared;
      if (fault === null) server.closeAllConnections();
      for (const [answer, { path, silence }] of underWay) {
        if (fault === null || isSpared(path)) continue;
        if (fault.kind === 'silence') silence();
        else answer.destroy();
      }
    },
    close: () => {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}
