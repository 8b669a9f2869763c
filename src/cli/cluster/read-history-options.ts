import * as z from 'zod';
import type { GivenSettings } from '../../cluster/plan-settings.ts';
import type { HistoryServer, KeyOfObject } from '../../installation/history-server.ts';
import { parsePostgresUrl } from '../../store/postgres/parse-postgres-url.ts';
import { isPostgresUrl } from '../../store/is-postgres-url.ts';
import { badUsage } from '../cli-error.ts';
import type { EnableOptions } from './enable-options.ts';

/** In the place of a URL: a file in the manager's pod. */
const NO_SERVER = 'none';

/** `NAME` or `NAME:KEY`, as Kubernetes allows both. */
const keySchema = z
  .string()
  .regex(/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?(:[-._a-zA-Z0-9]{1,253})?$/)
  .transform((text) => text.split(':') as [string, string?]);

/** undefined: nothing was given. @throws CliError, whose message repeats no URL. */
export function readHistoryOptions(options: EnableOptions): GivenSettings['historyServer'] {
  const { historyUrl, historyPasswordSecret, historyCaConfigMap, historyCaSecret, managerArg = [] } = options;
  for (const url of managerArg.map((arg) => arg.replace(/^--?history=/, '')))
    if (isPostgresUrl(url)) requireUrl('--manager-arg=--history', url);
  const passwordSecret = readKey('--history-password-secret', historyPasswordSecret, 'password');
  const caConfigMap = readKey('--history-ca-config-map', historyCaConfigMap, 'ca.crt');
  const caSecret = readKey('--history-ca-secret', historyCaSecret, 'ca.crt');
  if (caConfigMap !== null && caSecret !== null) {
    throw badUsage('--history-ca-config-map and --history-ca-secret each name a CA for the history.', 'Leave one of them out.');
  }
  const ca: HistoryServer['ca'] =
    caConfigMap !== null ? { kind: 'ConfigMap', ...caConfigMap } : caSecret !== null ? { kind: 'Secret', ...caSecret } : null;
  const given = { ...(passwordSecret === null ? {} : { passwordSecret }), ...(ca === null ? {} : { ca }) };
  const hasMore = passwordSecret !== null || ca !== null;
  if (historyUrl === undefined) return hasMore ? given : undefined;
  if (historyUrl === NO_SERVER) {
    if (!hasMore) return null;
    throw badUsage('--history-url none is a file in the pod, which has neither a password nor a CA.', 'Leave the others out.');
  }
  const { tls } = requireUrl('--history-url', historyUrl);
  if (ca !== null && tls === null) throw badUsage('--history-url says sslmode=disable, and a CA is named.', 'Leave one of them out.');
  if (ca !== null && tls?.caFile !== null) {
    throw badUsage('--history-url has an sslrootcert, and a CA is named beside it.', 'Leave the sslrootcert out: it is added.');
  }
  return { url: historyUrl, ...given };
}

function requireUrl(option: string, url: string): { readonly tls: { readonly caFile: string | null } | null } {
  const parsed = parsePostgresUrl(url);
  if (parsed.ok) return parsed.url;
  throw badUsage(`${option}: ${parsed.message}`, 'The password belongs in a Secret: --history-password-secret NAME');
}

function readKey(option: string, text: string | undefined, key: string): KeyOfObject | null {
  if (text === undefined) return null;
  const parsed = keySchema.safeParse(text).data;
  if (parsed === undefined) throw badUsage(`${option} is neither NAME nor NAME:KEY of one in the manager's namespace.`);
  return { name: parsed[0], key: parsed[1] ?? key };
}
