import { createServer, type Server } from 'node:http';

export interface Health {
  /** The process is of use; false: it is to be restarted. */
  readonly isAlive: boolean;
  readonly isReady: boolean;
  /** For people; nothing secret. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** `/healthz` and `/readyz`, as Kubernetes asks for them. Nothing else is answered, and nothing can be changed. */
export async function serveHealth(
  read: () => Health,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const health = read();
    const answers: Readonly<Record<string, boolean>> = { '/healthz': health.isAlive, '/readyz': health.isReady };
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const isWell = request.method === 'GET' ? answers[path] : undefined;
    if (isWell === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(isWell ? 200 : 503, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify({ ok: isWell, ...health.details })}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host === '' ? undefined : host, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
