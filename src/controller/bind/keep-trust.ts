import { isDeepStrictEqual } from 'node:util';
import {
  bundleOf,
  markPublished,
  parseAuthorities,
  planAuthorities,
  ROTATION_TIMES,
  type Authorities,
} from '../../coordinator/pki/authorities.ts';
import { makeAuthority, makeServerIdentity, type ServerIdentity } from '../../coordinator/pki/make-authority.ts';
import { CA_BUNDLE_FILE } from '../../api/coordinator/coordinator-api.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { apiVersionOf, CONFIG_MAPS, SECRETS } from '../../kube/resource.ts';
import type { Log } from '../../platform/log.ts';
import { FIELD_MANAGER, NotLeading } from './bind-cluster-api.ts';

export interface TrustOptions {
  readonly client: Pick<KubeClient, 'find' | 'create' | 'update' | 'patch'>;
  readonly namespace: string;
  /** The Secret with the authorities and their keys. */
  readonly secret: string;
  /** The configmap with the certificates that workers trust. */
  readonly configMap: string;
  /** The DNS names under which workers find the coordinator. */
  readonly serverNames: readonly string[];
  /** Milliseconds since the epoch. */
  readonly wallNow: () => number;
  readonly isHeld: () => boolean;
  readonly log: Log;
}

const KEY = 'authorities.json';

interface Stored {
  readonly secret: KubeObject | null;
  readonly authorities: Authorities | null;
}

/**
 * The coordinator's certificates: what signs them is kept in a Secret, so that workers which began under another leader trust this one too, and is
 * replaced in its time. What workers are to trust is stored before it is published, and published before anything is signed with it.
 */
export class Trust {
  readonly #options: TrustOptions;
  #identity: { readonly identity: ServerIdentity; readonly signedBy: string } | null = null;

  constructor(options: TrustOptions) {
    this.#options = options;
  }

  /** What the server has to show from now on: the same object as the time before when nothing was due. Rejects while the API server is away. */
  async refresh(signal: AbortSignal): Promise<ServerIdentity> {
    const { wallNow, serverNames } = this.#options;
    const authorities = await this.#bringUpToDate(signal);
    const { signing } = authorities;
    const now = wallNow();
    if (this.#identity === null || this.#identity.signedBy !== signing.certificate || now >= this.#identity.identity.renewAt) {
      this.#identity = { identity: makeServerIdentity(signing, serverNames, now), signedBy: signing.certificate };
    }
    return this.#identity.identity;
  }

  async #bringUpToDate(signal: AbortSignal): Promise<Authorities> {
    const { wallNow } = this.#options;
    const stored = await this.#read(signal);
    const now = wallNow();
    const planned = planAuthorities(stored.authorities, now, { ...ROTATION_TIMES, make: () => makeAuthority(now) });
    const kept = await this.#store(stored, planned, signal);
    await this.#publish(planned, signal);
    const published = markPublished(planned, now);
    await this.#store({ secret: kept, authorities: planned }, published, signal);
    return published;
  }

  async #read(signal: AbortSignal): Promise<Stored> {
    const { client, namespace, secret: name, log } = this.#options;
    const secret = await client.find({ resource: SECRETS, namespace, name }, { signal });
    if (secret === null) return { secret, authorities: null };
    const authorities = readAuthorities(secret);
    if (authorities === null) log.warn('the coordinator gets a new authority: what the Secret holds cannot be read', { secret: name });
    return { secret, authorities };
  }

  /** Only over what was read: of two that write at once, one fails. */
  async #store({ secret, authorities }: Stored, next: Authorities, signal: AbortSignal): Promise<KubeObject | null> {
    if (secret !== null && isDeepStrictEqual(authorities, next)) return secret;
    const { client, namespace, secret: name, isHeld } = this.#options;
    if (!isHeld()) throw new NotLeading();
    const data = { [KEY]: Buffer.from(JSON.stringify(next)).toString('base64') };
    if (secret !== null) return client.update({ resource: SECRETS, namespace, name }, { ...secret, data }, { signal });
    const object = { apiVersion: apiVersionOf(SECRETS), kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', data };
    return client.create({ resource: SECRETS, namespace }, object, { signal });
  }

  async #publish(authorities: Authorities, signal: AbortSignal): Promise<void> {
    const { client, namespace, configMap: name, isHeld } = this.#options;
    if (!isHeld()) throw new NotLeading();
    const data = { [CA_BUNDLE_FILE]: bundleOf(authorities) };
    const object = { apiVersion: apiVersionOf(CONFIG_MAPS), kind: 'ConfigMap', metadata: { name, namespace }, data };
    const patch = { strategy: 'apply', object, fieldManager: FIELD_MANAGER, force: true } as const;
    await client.patch({ resource: CONFIG_MAPS, namespace, name }, patch, { signal });
  }
}

function readAuthorities({ data }: KubeObject): Authorities | null {
  const encoded = (data as Readonly<Record<string, unknown>> | null | undefined)?.[KEY];
  if (typeof encoded !== 'string') return null;
  try {
    const parsed = parseAuthorities(JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')));
    return parsed.ok ? parsed.value : null;
  } catch {
    return null;
  }
}
