import * as z from 'zod';
import { HISTORY_ACCESS, type HistoryServer, type KeyOfObject } from '../installation/history-server.ts';

const keyOfObject = z.object({ name: z.string().min(1), key: z.string().min(1) });

export const historyServerSchema = z.object({
  url: z.string().min(1),
  passwordSecret: keyOfObject.nullable(),
  ca: keyOfObject.extend({ kind: z.enum(['ConfigMap', 'Secret']) }).nullable(),
}) satisfies z.ZodType<HistoryServer>;

const itemsSchema = z.object({ name: z.string(), items: z.array(z.object({ key: z.string(), path: z.string() })) });
const volumeSchema = z.object({
  name: z.literal(HISTORY_ACCESS.volume),
  projected: z.object({ sources: z.array(z.object({ secret: itemsSchema.optional(), configMap: itemsSchema.optional() })) }),
});
type Sources = z.output<typeof volumeSchema>['projected']['sources'];

/** Of a manager's pod. */
export interface PodParts {
  readonly args: readonly string[];
  readonly volumes: readonly unknown[];
}

/** Reads back what an installation has made of a server for the history, and leaves the other flags; null: the history is a file. */
export function readHistoryServer({ args, volumes }: PodParts): { readonly server: HistoryServer; readonly others: string[] } | null {
  // The first is the installation's; a further one is a flag that an operator has given.
  const at = args.findIndex((arg) => arg.startsWith('--history='));
  const url = args[at]?.slice('--history='.length) ?? '';
  if (!/^postgres(ql)?:\/\//i.test(url)) return null;
  const { passwordFlag, files } = HISTORY_ACCESS;
  const sources = volumes.map((volume) => volumeSchema.safeParse(volume).data?.projected.sources).find((one) => one !== undefined) ?? [];
  const ca = readCa(sources);
  const hasPassword = args[at + 1] === passwordFlag;
  return {
    server: { url: ca === null ? url : withoutCa(url), passwordSecret: findKey(sources, 'secret', files.password), ca },
    others: [...args.slice(0, at), ...args.slice(at + (hasPassword ? 2 : 1))],
  };
}

function readCa(sources: Sources): HistoryServer['ca'] {
  const [secret, configMap] = [findKey(sources, 'secret', HISTORY_ACCESS.files.ca), findKey(sources, 'configMap', HISTORY_ACCESS.files.ca)];
  if (secret !== null) return { kind: 'Secret', ...secret };
  return configMap === null ? null : { kind: 'ConfigMap', ...configMap };
}

function findKey(sources: Sources, kind: 'secret' | 'configMap', path: string): KeyOfObject | null {
  for (const { [kind]: object } of sources) {
    const item = object?.items.find((one) => one.path === path);
    if (object !== undefined && item !== undefined) return { name: object.name, key: item.key };
  }
  return null;
}

/** It is the last parameter. */
function withoutCa(url: string): string {
  const { caParameter } = HISTORY_ACCESS;
  return url.endsWith(caParameter) ? url.slice(0, -caParameter.length - 1) : url;
}
