import { microTime } from './lease.ts';
import { apiVersionOf, EVENTS } from './resource.ts';

/** What an event is about (core/v1 ObjectReference). */
export interface Regarding {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
}

export interface EventFacts {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** Why, one word: `ImagesRemoved`. */
  readonly reason: string;
  /** What was done or tried, one word: `Clean`. */
  readonly action: string;
  /** For people; cut at 1 KiB. */
  readonly note: string;
}

export interface EventMeta {
  /** `image-cleaner.example/controller`: shown as `From` by kubectl describe. */
  readonly reportingController: string;
  /** The pod. */
  readonly reportingInstance: string;
  /** Makes the name of the event its own. */
  readonly suffix: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What the API server takes (events.k8s.io/v1 validation). */
const MOST = { note: 1024, word: 128, name: 253 };

/** Events of objects without a namespace live in `default`, where kubectl looks for them. */
export function eventNamespace({ namespace }: Regarding): string {
  return namespace ?? 'default';
}

/** An events.k8s.io/v1 Event, as the first of its kind. */
export function eventObject(facts: EventFacts, { reportingController, reportingInstance, suffix, at }: EventMeta): object {
  const { regarding, type, reason, action, note } = facts;
  const name = `${regarding.name.slice(0, MOST.name - suffix.length - 1)}.${suffix}`;
  return {
    apiVersion: apiVersionOf(EVENTS),
    kind: 'Event',
    metadata: { name, namespace: eventNamespace(regarding) },
    eventTime: microTime(at),
    type,
    reason: reason.slice(0, MOST.word),
    action: action.slice(0, MOST.word),
    note: cutAtBytes(note, MOST.note),
    regarding,
    reportingController,
    reportingInstance: reportingInstance.slice(0, MOST.word),
  };
}

function cutAtBytes(text: string, most: number): string {
  if (Buffer.byteLength(text) <= most) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(most - Buffer.byteLength('…')));
  return `${text.slice(0, read)}…`;
}
