import { readFileSync } from 'node:fs';
import { Client } from 'undici';
import type { Authority, Certificate } from './certificates.ts';

/** What the lab itself asks of a cluster's API server. */
export interface ApiClient {
  /** The answer's body, parsed where it is JSON. Throws for any answer but 2xx. */
  get(path: string): Promise<unknown>;
  create(path: string, object: unknown): Promise<void>;
  close(): Promise<void>;
}

export interface ApiClientOptions {
  readonly url: string;
  readonly authority: Authority;
  readonly user: Certificate;
}

const TIMEOUT_MS = 5_000;

export function connectApi({ url, authority, user }: ApiClientOptions): ApiClient {
  const tls = { ca: readFileSync(authority.certificate), cert: readFileSync(user.certificate), key: readFileSync(user.key) };
  const client = new Client(url, { connect: { ...tls, timeout: TIMEOUT_MS }, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  const ask = async (method: 'GET' | 'POST', path: string, object?: unknown): Promise<unknown> => {
    const body = object === undefined ? null : JSON.stringify(object);
    const response = await client.request({ method, path, body, headers: { 'content-type': 'application/json' } });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${String(response.statusCode)} ${text}`);
    return text.startsWith('{') ? JSON.parse(text) : text;
  };
  return {
    get: (path) => ask('GET', path),
    create: async (path, object) => {
      await ask('POST', path, object);
    },
    close: () => client.destroy(),
  };
}
