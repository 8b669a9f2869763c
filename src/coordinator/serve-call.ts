import type { IncomingMessage, ServerResponse } from 'node:http';
import { CALL_LIMITS, type CoordinatorCall } from '../api/coordinator/coordinator-api.ts';
import { PROBLEM_STATUS } from '../api/coordinator/problem-details.ts';
import { RoomError } from '../platform/errors.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import type { AnswerCall } from './calls/call.ts';
import type { Gate } from './gate.ts';
import type { CoordinatorLimits } from './limits.ts';
import { matchRoute, type Route } from './match-route.ts';
import type { OnCoordinatorEvent, Worker } from './ports.ts';
import { readBody } from './read-body.ts';
import { answerRefusal, refuse, type Answer, type Refusal } from './refusal.ts';
import { Slots } from './slots.ts';

export interface CallServerOptions {
  readonly gate: Gate;
  readonly calls: Readonly<Record<CoordinatorCall, AnswerCall>>;
  readonly limits: CoordinatorLimits;
  readonly onEvent: OnCoordinatorEvent;
}

/** One call on its way through. */
interface Passage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly remoteAddress: string;
  readonly signal: AbortSignal;
  /** Once the caller has proven who it is. */
  worker: Worker | null;
  /** What its answer may take. */
  room: Room;
}

/** What calls of one kind may take of this process. */
interface Room {
  readonly underWay: Slots;
  readonly bytes: Slots;
}

const SHOWN_PATH = 200;

/** Takes calls from the first header to the last byte of the answer. Nothing of a body is read before its sender has been let in. */
export class CallServer {
  readonly #options: CallServerOptions;
  readonly #room: Room;
  readonly #scansRoom: Room;
  #isClosing = false;

  constructor(options: CallServerOptions) {
    this.#options = options;
    const { maxCalls, maxScansCalls, maxCallsPerWorker, maxBytesInFlight, maxScansBytesInFlight } = options.limits;
    this.#room = { underWay: new Slots(maxCalls, maxCallsPerWorker), bytes: new Slots(maxBytesInFlight) };
    this.#scansRoom = { underWay: new Slots(maxScansCalls, maxCallsPerWorker), bytes: new Slots(maxScansBytesInFlight) };
  }

  /** Bytes of bodies and answers in memory. */
  get bytesInFlight(): number {
    return this.#room.bytes.total + this.#scansRoom.bytes.total;
  }

  /** Calls that come from now on are refused; those under way are answered. */
  beginClosing(): void {
    this.#isClosing = true;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace(/\?.*$/s, '');
    const route = matchRoute(request.method ?? '', path);
    const { signal } = this.#watch(request, response, route);
    const passage: Passage = {
      request,
      response,
      path,
      remoteAddress: request.socket.remoteAddress ?? '',
      signal,
      worker: null,
      room: this.#room,
    };
    const answer = await this.#answer(passage, route).catch((error: unknown) => this.#fail(passage, error));
    if (answer.kind === 'refused') this.#report(passage, answer);
    this.#send(passage, answer.kind === 'refused' ? answerRefusal(answer) : answer);
  }

  /** Aborts when the call's time is over, or the caller is gone. A caller that reads too slowly is not waited for either. */
  #watch(request: IncomingMessage, response: ServerResponse, route: Route | Refusal): AbortController {
    const over = new AbortController();
    const limitMs = route.kind === 'route' ? CALL_LIMITS[route.call].timeLimitMs : this.#options.limits.bodyTimeoutMs;
    const timers = [
      setTimeout(() => over.abort(new CallOver('its time is over')), limitMs),
      setTimeout(() => request.socket.destroy(), limitMs + LAST_WORD_MS),
    ];
    response.once('close', () => {
      timers.forEach(clearTimeout);
      if (!response.writableFinished) over.abort(new CallOver('the caller is gone'));
    });
    for (const stream of [request, response]) stream.on('error', () => undefined);
    return over;
  }

  async #answer(passage: Passage, route: Route | Refusal): Promise<Answer | Refusal> {
    const { request, remoteAddress, signal } = passage;
    if (this.#isClosing) return refuse('closing', { detail: 'This coordinator ends.', allowed: SAME_AGAIN, retryAfterSeconds: 1 });
    if (route.kind === 'refused') return route;
    const caller = { authorization: request.headers.authorization, remoteAddress, asked: route.run, mayBeOver: route.call === 'logs' };
    const admission = await untilAborted(this.#options.gate.admit(caller, signal), signal);
    if (admission.kind === 'refused') return admission;
    passage.worker = admission.worker;
    passage.room = this.#roomFor(route.call);
    const release = passage.room.underWay.take(admission.worker.podUid);
    if (release === null) return refuse('busy', { detail: 'Too many calls are under way.', allowed: SAME_AGAIN, retryAfterSeconds: 1 });
    // What a call holds is free when its work has ended, not when nobody waits for it any more: works that hang would fill the memory.
    const work = this.#work(passage, route.call, admission.worker).finally(release);
    return untilAborted(work, signal);
  }

  async #work({ request, response, signal, room }: Passage, call: CoordinatorCall, worker: Worker): Promise<Answer | Refusal> {
    const answerCall = this.#options.calls[call];
    const { method, maxRequestBytes, requestType: type = 'application/json' } = CALL_LIMITS[call];
    if (method === 'GET') return answerCall({ worker, body: Buffer.alloc(0), signal });
    const { bodyTimeoutMs: timeoutMs } = this.#options.limits;
    const body = await readBody(request, response, { maxBytes: maxRequestBytes, type, timeoutMs, inFlight: room.bytes });
    if (body.kind === 'refused') return body;
    try {
      return await answerCall({ worker, body: body.bytes, signal });
    } finally {
      body.release();
    }
  }

  #roomFor(call: CoordinatorCall): Room {
    return call === 'scans' ? this.#scansRoom : this.#room;
  }

  /** All calls may be repeated, so whatever went wrong is worth another try. */
  #fail({ response, path, worker, signal }: Passage, error: unknown): Refusal {
    if (!response.destroyed) this.#options.onEvent({ kind: 'call-failed', path: shown(path), pod: worker?.podName ?? null, error });
    const isPassing = signal.aborted || (error instanceof RoomError && error.action === 'retry');
    const details = { detail: 'The call could not be carried out now.', allowed: SAME_AGAIN, retryAfterSeconds: 2 };
    return refuse(isPassing ? 'unavailable' : 'internal', details);
  }

  #report({ request, path, remoteAddress, worker }: Passage, { code, detail }: Refusal): void {
    if (UNTOLD.has(code)) return;
    this.#options.onEvent({
      kind: 'call-refused',
      code,
      status: PROBLEM_STATUS[code],
      reason: detail,
      method: request.method ?? '',
      path: shown(path),
      remoteAddress,
      pod: worker?.podName ?? null,
      node: worker?.node ?? null,
    });
  }

  #send({ request, response, room }: Passage, answer: Answer): void {
    if (response.destroyed) return;
    const release = room.bytes.take('', answer.body.length);
    if (release !== null) response.once('close', release);
    const busy = (): Answer =>
      answerRefusal(refuse('busy', { detail: 'Too much is being sent at once.', allowed: SAME_AGAIN, retryAfterSeconds: 1 }));
    const { status, type, headers, body } = release === null ? busy() : answer;
    // What is left of a body that nobody has read would be taken for the next request.
    const isReusable = request.complete && !this.#isClosing;
    response.writeHead(status, {
      'content-type': type,
      'cache-control': 'no-store',
      'content-length': body.length,
      ...headers,
      ...(isReusable ? {} : { connection: 'close' }),
    });
    response.end(body);
  }
}

const SAME_AGAIN = 'The same call, after the pause.';
/** How long an answer may take after its call's time is over. */
const LAST_WORD_MS = 10_000;
/** These are told otherwise, or come by the thousand when they come. */
const UNTOLD: ReadonlySet<string> = new Set([
  'too-many-refusals',
  'too-many-calls',
  'busy',
  'closing',
  'unavailable',
  'internal',
  'trivy-away',
]);

class CallOver extends Error {}

function shown(path: string): string {
  return path.slice(0, SHOWN_PATH);
}
