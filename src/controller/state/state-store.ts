import { isDeepStrictEqual } from 'node:util';
import { RoomError } from '../../platform/errors.ts';
import type { ClusterApi } from '../ports.ts';
import type { RawObject } from '../raw-object.ts';
import { formatManagerState, NEW_STATE, parseManagerState, STATE_CONFIG_MAP, STATE_KEY, type ManagerState } from './manager-state.ts';

export class StateError extends RoomError<'unreadable-state' | 'state-lost' | 'superseded'> {}

/** The state as it is stored. Only the leader writes it; whoever else did makes the next write fail, and the state is read anew then. */
export class StateStore {
  readonly #api: Pick<ClusterApi, 'find' | 'create' | 'apply'>;
  readonly #namespace: string;
  readonly #term: number | null;
  #current: { readonly state: ManagerState; readonly resourceVersion: string | null } | null = null;

  /** `term`: of the leadership of this process; null: it is not known, and nobody's write is told to be newer. */
  constructor(api: Pick<ClusterApi, 'find' | 'create' | 'apply'>, namespace: string, term: number | null = null) {
    this.#api = api;
    this.#namespace = namespace;
    this.#term = term;
  }

  /** @throws StateError when it is there and cannot be read, since to begin anew would be to run again what has run; or when a later leader wrote it. */
  async read(signal: AbortSignal): Promise<ManagerState> {
    if (this.#current !== null) return this.#current.state;
    const object = await this.#api.find('ConfigMap', STATE_CONFIG_MAP, signal);
    const state = object === null ? NEW_STATE : this.#parse(object);
    if (this.#term !== null && state.term > this.#term) throw superseded(this.#term, state.term);
    this.#current = { state, resourceVersion: object?.metadata.resourceVersion ?? null };
    return state;
  }

  /** Makes no request when nothing differs. */
  async write(next: ManagerState, signal: AbortSignal): Promise<void> {
    const before = await this.read(signal);
    const state = { ...next, term: this.#term ?? before.term };
    if (isDeepStrictEqual(before, state)) return;
    const { resourceVersion = null } = this.#current ?? {};
    // Until the answer is there, it is not known what is stored.
    this.#current = null;
    const object = { apiVersion: 'v1', kind: 'ConfigMap', data: { [STATE_KEY]: formatManagerState(state) } };
    const metadata = { name: STATE_CONFIG_MAP, namespace: this.#namespace };
    const written =
      resourceVersion === null
        ? await this.#create({ ...object, metadata }, signal)
        : await this.#api.apply({ ...object, metadata: { ...metadata, resourceVersion } }, signal);
    this.#current = { state, resourceVersion: written.metadata.resourceVersion ?? null };
  }

  async #create(object: RawObject, signal: AbortSignal): Promise<RawObject> {
    const created = await this.#api.create('ConfigMap', object, signal);
    if (created.outcome === 'created') return created.object;
    const why = created.outcome === 'exists' ? 'it was made by another meanwhile' : created.message;
    throw new StateError({ code: 'state-lost', action: 'retry', message: `The configmap ${STATE_CONFIG_MAP} cannot be made: ${why}` });
  }

  #parse(object: RawObject): ManagerState {
    const data = object['data'] as Readonly<Record<string, string>> | undefined;
    const parsed = parseManagerState(data?.[STATE_KEY] ?? '');
    if (parsed.ok) return parsed.value;
    const problems = parsed.errors.map(({ path, message }) => `${path === '' ? STATE_KEY : path} ${message}`).join('; ');
    throw new StateError({
      code: 'unreadable-state',
      message: `The configmap ${STATE_CONFIG_MAP} cannot be read: ${problems}`,
      hint: 'Nothing runs until it can be. Deleted, it is made anew; what has run may then run once more.',
    });
  }
}

function superseded(own: number, stored: number): StateError {
  return new StateError({
    code: 'superseded',
    message: `The configmap ${STATE_CONFIG_MAP} was written by the leader of term ${stored}; this one is of term ${own}`,
    hint: 'Another process leads: this one writes nothing any more, and ends once it learns of it.',
  });
}
