import { shorten } from '../../api/problem.ts';

const NAME = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const LONGEST_NAME = 63;
const LONGEST_SUBDOMAIN = 253;

/** What is wrong with the name of a label, and what is allowed; null: nothing. */
export function labelKeyFault(key: string): string | null {
  const slash = key.indexOf('/');
  const prefix = slash === -1 ? null : key.slice(0, slash);
  const name = key.slice(slash + 1);
  const isFine = (prefix === null || isSubdomain(prefix)) && name.length <= LONGEST_NAME && NAME.test(name);
  return isFine ? null : `"${shorten(key)}" is no label; allowed are names such as kubernetes.io/os`;
}

/** What is wrong with the value of a label, and what is allowed; null: nothing. */
export function labelValueFault(value: string): string | null {
  if (value === '' || (value.length <= LONGEST_NAME && NAME.test(value))) return null;
  return `"${shorten(value)}" is no value of a label; allowed are up to 63 letters, digits, "-", "_" and "."`;
}

/** As most objects of Kubernetes are named (RFC 1123). */
export function isSubdomain(text: string): boolean {
  return text.length <= LONGEST_SUBDOMAIN && SUBDOMAIN.test(text);
}
