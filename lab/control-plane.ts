import { once } from 'node:events';
import { createServer } from 'node:net';
import { startApiServer } from './api-server.ts';
import { ensureControlPlaneTools } from './kubernetes.ts';
import { LabError, requireRoot } from './lab-error.ts';
import { ownPlace, releasePlace, sweepAbandonedPlaces } from './owned-places.ts';
import type { Place } from './place.ts';
import { makePlace } from './place.ts';
import type { OnProgress } from './tools.ts';

/** An API server with what it needs and nothing else: no controllers, no nodes. */
export interface ControlPlane extends AsyncDisposable {
  /** The path of a cluster administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** `https://127.0.0.1:23456`. */
  readonly url: string;
  readonly place: Place;
  /** See `ApiServer`. */
  readonly auditLog: string;
  /** Kills the API server (or ends it by another signal); etcd goes on, and what is stored stays. */
  stopApiserver(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it on the same port, and waits until it is ready. */
  startApiserver(): Promise<void>;
  restartApiserver(signal?: NodeJS.Signals): Promise<void>;
  /** Ends both and removes all that they left on the machine. */
  stop(): Promise<void>;
}

/** No Service of it is reached; it only hands out the addresses. */
const SERVICE_NETWORK = '10.96';

/** Starts etcd and kube-apiserver on the loopback address, in the given place (as `makePlace` makes it) or one of its own. Needs root. */
export async function startControlPlane(given?: Place, onProgress: OnProgress = () => undefined): Promise<ControlPlane> {
  requireRoot('A Kubernetes control plane', "its files are root's");
  const place = given ?? makePlace();
  ownPlace(place);
  try {
    sweepAbandonedPlaces(onProgress);
    const tools = await ensureControlPlaneTools(onProgress);
    const address = { host: '127.0.0.1', port: await freePort(), serviceNetwork: SERVICE_NETWORK };
    const server = await startApiServer(tools, place, address);
    const stop = async (): Promise<void> => {
      await server.end();
      releasePlace(place);
    };
    return {
      kubeconfig: server.kubeconfig,
      url: server.url,
      place,
      auditLog: server.auditLog,
      stopApiserver: server.stop,
      startApiserver: server.start,
      restartApiserver: async (signal) => {
        await server.stop(signal);
        await server.start();
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    releasePlace(place);
    throw error;
  }
}

/** Below the ports that the kernel gives to clients (32768 and above), so that none takes it while the API server is down. */
const PORTS = { first: 20_000, count: 10_000 };

async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    if (await isFree(port)) return port;
  }
  throw new LabError({ code: 'not-ready', message: `No port from ${String(PORTS.first)} on is free.` });
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
