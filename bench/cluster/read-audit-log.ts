import { readAuditLog } from '../../lab/read-audit-log.ts';

const MANAGER = /^system:serviceaccount:[^:]+:eraser-controller-manager$/;

/** How many requests the manager has made up to now, but for watches and what concerns its Lease. */
export async function countRequests(auditLog: string): Promise<number> {
  const requests = await readAuditLog(auditLog);
  return requests.filter(({ verb, username, resource }) => MANAGER.test(username) && verb !== 'watch' && resource !== 'leases').length;
}
