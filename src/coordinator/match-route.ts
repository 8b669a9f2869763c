import { CALL_LIMITS, PODS_PATH, RUN_CALLS, type CoordinatorCall, type NodeRun } from '../api/coordinator/coordinator-api.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface Route {
  readonly kind: 'route';
  readonly call: CoordinatorCall;
  /** What the call is about; null: the caller's own. */
  readonly run: NodeRun | null;
}

const RUN_PATH = /^\/v1\/runs\/([^/]+)\/nodes\/([^/]+)\/(.+)$/;
const ALLOWED_PATHS = `${PODS_PATH}, or /v1/runs/{uid of the ImageJob}/nodes/{node}/ and one of: ${RUN_CALLS.join(', ')}.`;

/** `path`: as it was sent, without a query. */
export function matchRoute(method: string, path: string): Route | Refusal {
  const route = findRoute(path);
  if (route === null) return refuse('not-found', { detail: 'There is no such address.', allowed: ALLOWED_PATHS });
  const { method: expected } = CALL_LIMITS[route.call];
  if (method === expected) return route;
  return refuse('method-not-allowed', { detail: `${method} is of no use at this address.`, allowed: `${expected}.`, allow: expected });
}

function findRoute(path: string): Route | null {
  if (path === PODS_PATH) return { kind: 'route', call: 'pods', run: null };
  const [, job, node, name] = RUN_PATH.exec(path) ?? [];
  const call = RUN_CALLS.find((known) => known === name);
  if (job === undefined || node === undefined || call === undefined) return null;
  try {
    return { kind: 'route', call, run: { job: decodeURIComponent(job), node: decodeURIComponent(node) } };
  } catch {
    return null;
  }
}
