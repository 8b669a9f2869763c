/**
 * Whether one resourceVersion is older than another of the same resource. They are etcd's revisions, growing decimal numbers; what is none
 * (an aggregated API server may use other texts) is never called older.
 */
export function isOlderVersion(version: string, than: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(than)) return false;
  return BigInt(version) < BigInt(than);
}
