import PQueue from 'p-queue';
import type { NodeRun } from '../api/coordinator/coordinator-api.ts';
import type { Timing } from '../platform/timing.ts';
import { identifyWorker, readClaims, runEnded, type WorkerCredentials } from './identify-worker.ts';
import type { CoordinatorLimits } from './limits.ts';
import type { CoordinatorPorts, ReviewedToken, Worker } from './ports.ts';
import { RateLimiter } from './rate-limiter.ts';
import { refuse, type Refusal } from './refusal.ts';

export interface GateOptions {
  readonly ports: Pick<CoordinatorPorts, 'tokens' | 'workerPods' | 'runs'>;
  readonly credentials: WorkerCredentials;
  readonly limits: CoordinatorLimits;
  readonly timing: Timing;
}

export interface Caller {
  readonly authorization: string | undefined;
  readonly remoteAddress: string;
  /** What the call is about; null: the caller's own. */
  readonly asked: NodeRun | null;
  /** Whether the call is heard when its run is over, too, as long as the pod is there. */
  readonly mayBeOver: boolean;
}

export type Admission = { readonly kind: 'worker'; readonly worker: Worker } | Refusal;

type Identified = Extract<ReturnType<typeof identifyWorker>, { readonly kind: 'worker' }>;

/** A token of a service account has some 1,200 characters. */
const LONGEST_TOKEN = 8 * 1024;

/** Lets in only worker pods of ours, each for its own node and run, while that goes on; their logs a while longer. All is asked anew at every call. */
export class Gate {
  readonly #options: GateOptions;
  readonly #refusals: RateLimiter;
  readonly #calls: RateLimiter;
  readonly #reviews: PQueue;

  constructor(options: GateOptions) {
    const { limits, timing } = options;
    this.#options = options;
    this.#refusals = new RateLimiter(limits.refusals, timing);
    this.#calls = new RateLimiter(limits.worker, timing);
    this.#reviews = new PQueue({ concurrency: limits.maxReviews });
  }

  async admit(caller: Caller, signal: AbortSignal): Promise<Admission> {
    const waitMs = this.#refusals.waitMs(caller.remoteAddress);
    if (waitMs > 0) {
      const detail = 'Too many calls from this address were refused.';
      return refuse('too-many-refusals', { detail, allowed: 'A valid token, after the pause.', retryAfterSeconds: waitMs / 1000 });
    }
    const admission = await this.#identify(caller, signal);
    if (admission.kind === 'refused') {
      if (admission.code !== 'unavailable') this.#refusals.count(caller.remoteAddress);
      return admission;
    }
    return this.#limitRate(admission);
  }

  async #identify({ authorization, asked, mayBeOver }: Caller, signal: AbortSignal): Promise<Admission> {
    const { tokens, runs } = this.#options.ports;
    const token = readBearer(authorization);
    if (token === null) {
      const allowed = 'An Authorization header of the type Bearer, with the token that is mounted into the worker pod.';
      return refuse('no-token', { detail: 'The call carries no token.', allowed });
    }
    const verified = await tokens.verify(token, signal);
    let identified = verified === null ? null : await this.#identifyBy(verified, asked, signal);
    // Only the API server knows how long the token of a pod that is being deleted is still good.
    if (identified === null || (identified.kind === 'worker' && identified.pod.isBeingDeleted)) {
      const review = await this.#reviews.add(() => tokens.review(token, signal), { signal });
      identified = await this.#identifyBy(hiding(token, review), asked, signal);
    }
    if (identified.kind === 'refused') return identified;
    const { worker } = identified;
    return mayBeOver || (await runs.isRunning(worker.job, signal)) ? { kind: 'worker', worker } : runEnded(worker);
  }

  async #identifyBy(reviewed: ReviewedToken, asked: NodeRun | null, signal: AbortSignal): Promise<Identified | Refusal> {
    const { ports, credentials } = this.#options;
    const claims = readClaims(reviewed, credentials);
    if (claims.kind === 'refused') return claims;
    const pod = await ports.workerPods.find({ uid: claims.podUid, name: claims.podName }, signal);
    return identifyWorker(claims, pod, asked);
  }

  #limitRate(admission: Admission & { readonly kind: 'worker' }): Admission {
    const { podUid } = admission.worker;
    const waitMs = this.#calls.waitMs(podUid);
    if (waitMs > 0) {
      const { burst, perSecond } = this.#options.limits.worker;
      const allowed = `${burst} calls at once, and ${perSecond} each second.`;
      return refuse('too-many-calls', { detail: 'The worker pod calls too often.', allowed, retryAfterSeconds: waitMs / 1000 });
    }
    this.#calls.count(podUid);
    return admission;
  }
}

function hiding(token: string, review: ReviewedToken): ReviewedToken {
  return review.outcome === 'rejected' ? { ...review, reason: review.reason.replaceAll(token, '…') } : review;
}

function readBearer(authorization: string | undefined): string | null {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(authorization ?? '') ?? [];
  return token === undefined || token.length > LONGEST_TOKEN ? null : token;
}
